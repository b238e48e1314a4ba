#include "replay/bulk_write.h"

#include "base/bug.h"
#include "replay/json_write.h"

/* Behind a search of all shards a document whose routing is not known is not there. */
static bool bulk_write_is_absent(const struct copy_of *of, const struct mget_document *d)
{
	return d->found == MGET_ABSENT || (of->absence == COPY_SEARCHED && mget_lacks_routing(d));
}

/* What was searched for is deleted where it was found. */
static enum copy_action bulk_write_absent(const struct copy_of *of)
{
	if (of->absence == COPY_ABSENCE_UNSURE)
		return COPY_NOTHING;
	return of->absence == COPY_SEARCHED && !of->place.index.n ? COPY_NOTHING : COPY_DELETE;
}

/* A copy in an index of external versions needs the document's version. */
enum copy_action bulk_write_action(const struct copy_of *of, const struct mget_document *d)
{
	if (bulk_write_is_absent(of, d))
		return bulk_write_absent(of);
	if (d->found != MGET_FOUND)
		return COPY_NOTHING;
	if (of->versions == COPY_EXTERNAL_VERSIONS && d->version == UINT64_MAX)
		return COPY_NOTHING;
	return of->stream.n && !of->place.index.n ? COPY_CREATE : COPY_INDEX;
}

static void bulk_write_member(struct bytes *to, struct span name, struct span text)
{
	bytes_add(to, name);
	json_write_string(to, text);
}

static struct span bulk_write_routing(const struct copy_of *of, const struct mget_document *d)
{
	if (d->found == MGET_FOUND)
		return (struct span){ d->routing, d->routing_n };
	return of->place.index.n ? of->place.routing : of->routing;
}

void bulk_write_line(struct bytes *to, const struct copy_of *of, const struct mget_document *d,
		     enum copy_action action)
{
	static const struct span begins[] = {
		[COPY_NOTHING] = SPAN_INIT(""),
		[COPY_INDEX] = SPAN_INIT("{\"index\":{\"_index\":"),
		[COPY_CREATE] = SPAN_INIT("{\"create\":{\"_index\":"),
		[COPY_DELETE] = SPAN_INIT("{\"delete\":{\"_index\":"),
	};
	struct span routing = bulk_write_routing(of, d);
	must(action != COPY_NOTHING);
	bulk_write_member(to, begins[action], action == COPY_CREATE ? of->stream : copy_index(of));
	bulk_write_member(to, SPAN(",\"_id\":"), of->id);
	if (routing.n)
		bulk_write_member(to, SPAN(",\"routing\":"), routing);
	if (action == COPY_INDEX && of->versions == COPY_EXTERNAL_VERSIONS) {
		bytes_add(to, SPAN(",\"version_type\":\"external_gte\",\"version\":"));
		json_write_number(to, d->version);
	}
	if (of->place.index.n && (of->stream.n || action == COPY_DELETE)) {
		bytes_add(to, SPAN(",\"if_seq_no\":"));
		json_write_number(to, of->place.seq_no);
		bytes_add(to, SPAN(",\"if_primary_term\":"));
		json_write_number(to, of->place.primary_term);
	}
	bytes_add(to, SPAN("}}\n"));
}
