"""
What gdb knows of Crossfade's structs; `./dev debug` loads it, or `source tools/gdb.py`.

    cf-chain CHAIN              the slices of a struct chain, with their first bytes
    cf-list LIST TYPE MEMBER    the members of a struct list: cf-list &exchanges->open "struct exchange" link
    cf-msg MSG                  a struct msg: its first line and fields, and which of these are dropped
    cf-exchange EXCHANGE        a struct exchange: where it stands, whose it is, what each stream may still say
    cf-err NUMBER               an enum err by its name

CHAIN, LIST, MSG and EXCHANGE are expressions, of the struct or of a pointer to it.
"""

import gdb

SHOWN_BYTES, SHOWN_MEMBERS = 60, 1000
SECRET = (b"authorization", b"cookie", b"set-cookie", b"proxy-authorization")


def struct(expression):
    value = gdb.parse_and_eval(expression) if isinstance(expression, str) else expression
    return value.dereference() if value.type.strip_typedefs().code == gdb.TYPE_CODE_PTR else value


def has(value, name):
    return any(f.name == name for f in value.type.strip_typedefs().fields())


def memory(address, n):
    return bytes(gdb.selected_inferior().read_memory(int(address), int(n)))


def text(raw):
    return raw.decode("ascii", "backslashreplace").replace("\r", "\\r").replace("\n", "\\n")


def enumerator(kind, number, prefix):
    for field in gdb.lookup_type(f"enum {kind}").fields():
        if field.enumval == number:
            return field.name.removeprefix(prefix).lower()
    return str(number)


def members(head, kind, member):
    """Pointers to what is linked in a struct list, in its order."""
    wanted = gdb.lookup_type(kind)
    offset = next(f.bitpos // 8 for f in wanted.fields() if f.name == member)
    at, end = head["next"], head.address
    for _ in range(SHOWN_MEMBERS):
        if int(at) == int(end) or not int(at):
            return
        yield gdb.Value(int(at) - offset).cast(wanted.pointer())
        at = at.dereference()["next"]
    print(f"... and more than {SHOWN_MEMBERS}")


def chain_lines(chain):
    at, n, total = chain["first"], 0, 0
    while int(at):
        slice_ = at.dereference()
        size = int(slice_["n"])
        total += size
        block = slice_["block"].dereference()
        yield (f"  {n:3} {size:7} bytes of a block of {int(block['size'])}, refs {int(block['refs'])}: "
               f"\"{text(memory(slice_['at'], min(size, SHOWN_BYTES)))}\"{'...' if size > SHOWN_BYTES else ''}")
        at, n = slice_["next"], n + 1
    said = int(chain["bytes"])
    yield f"  {n} slices, {total} bytes" + ("" if total == said else f": it says {said}, which is WRONG")


def msg_lines(msg):
    first = int(msg["first_n"])
    if first:
        yield "  " + text(memory(msg["text"], first)).removesuffix("\\r\\n")
    for i in range(int(msg["field_n"])):
        field = msg["fields"][i]
        name = memory(msg["text"] + field["at"], field["name_n"])
        value = memory(msg["text"] + field["at"] + field["name_n"] + 2, field["value_n"])
        shown = "***" if name.lower() in SECRET else text(value)
        yield f"  {'(dropped) ' if field['dropped'] else ''}{text(name)}: {shown}"
    yield f"  body: {enumerator('body', int(msg['body']), 'BODY_')}, length {int(msg['length'])}"


def stream_line(name, stream):
    peer = stream["peer"]
    said = peer.dereference()["name"].string() if int(peer) and int(peer.dereference()["name"]) else "nobody"
    return (f"  {name}: with {said}; hears {enumerator('stream_state', int(stream['in']), 'STREAM_')}, "
            f"{'may speak' if stream['sends'] else 'has nothing more to say'}, credit {int(stream['credit'])}")


def number_lines(value, names):
    shown = [f"{n} {int(value[n])}" for n in names if has(value, n)]
    if shown:
        yield "  " + ", ".join(shown)


def state_lines(value, kind, prefix):
    yield f"  state: {enumerator(kind, int(value['state']), prefix)}"
    for name in ("why", "last_failure"):
        if has(value, name) and int(value[name]):
            yield f"  {name}: {enumerator('err', int(value[name]), 'ERR_')}"
    for name in ("front", "back"):
        yield stream_line(name, value[name])


def exchange_lines(ex):
    request, delivery = ex["request"], ex["delivery"]
    yield from state_lines(ex, "exchange_state", "EXCHANGE_")
    yield from number_lines(request, ("connection", "ordinal", "arm", "epoch", "began_ns"))
    yield from number_lines(ex, ("status", "request_bytes", "response_bytes", "orphaned_ns"))
    if int(delivery):
        yield "  delivery:"
        yield from ("  " + line for line in state_lines(delivery.dereference(), "delivery_state", "DELIVERY_"))
        yield from ("  " + line for line in number_lines(delivery.dereference(), ("attempt_n", "tried_n", "asked_ns", "responded_ns")))
    if int(request["head"]):
        yield "  request:"
        yield from ("  " + line for line in msg_lines(request["head"].dereference()))


class Command(gdb.Command):
    def __init__(self, name, words, lines):
        super().__init__(name, gdb.COMMAND_DATA)
        self.name, self.words, self.lines = name, words, lines

    def invoke(self, argument, from_tty):
        words = gdb.string_to_argv(argument)
        if len(words) != self.words:
            raise gdb.GdbError(f"{self.name}: {self.words} arguments are expected; see tools/gdb.py")
        for line in self.lines(*words):
            print(line)


def list_lines(head, kind, member):
    n = 0
    for at in members(struct(head), kind, member):
        yield f"  {n:3} ({kind} *) {int(at):#x}"
        n += 1
    yield f"  {n} members"


def err_lines(number):
    value = gdb.parse_and_eval(number)
    yield f"  {enumerator('err', int(value), 'ERR_')}"


Command("cf-chain", 1, lambda e: chain_lines(struct(e)))
Command("cf-list", 3, list_lines)
Command("cf-msg", 1, lambda e: msg_lines(struct(e)))
Command("cf-exchange", 1, lambda e: exchange_lines(struct(e)))
Command("cf-err", 1, err_lines)
