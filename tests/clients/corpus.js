// What JavaScript's clients send: fetch(), and the requests of `http` below it.
//   node corpus.js http://ADDRESS:PORT

const http = require('http')
const zlib = require('zlib')

const at = process.argv[2]

async function fetched(path, options) {
	const answer = await fetch(at + path, options)
	await answer.arrayBuffer()
}

function asked(path, options, write) {
	return new Promise((resolve, reject) => {
		const request = http.request(at + path, options, answer => {
			answer.on('end', resolve)
			answer.resume()
		})
		request.on('error', reject)
		request.on('continue', () => request.end('after 100'))
		write(request)
	})
}

async function main() {
	const json = { 'Content-Type': 'application/json' }
	const lines = Array.from({ length: 3000 }, (_, i) => `{"index":{"_id":"${i}"}}\n{"title":"ünï ${i}"}\n`)
	await fetched('/js/_search?q=title:%C3%BC')
	await fetched('/js/_doc/1', { method: 'PUT', headers: json, body: '{"title":"ünïcode"}' })
	await fetched('/js/_bulk', { method: 'POST', headers: { 'Content-Type': 'application/x-ndjson' }, body: lines.join('') })
	const stream = new ReadableStream({
		start(to) {
			lines.forEach(line => to.enqueue(new TextEncoder().encode(line)))
			to.close()
		},
	})
	await fetched('/js/_bulk?streamed', { method: 'POST', body: stream, duplex: 'half' })
	await fetched('/js/_bulk?gzip', { method: 'POST', headers: { ...json, 'Content-Encoding': 'gzip' }, body: zlib.gzipSync(lines.join('')) })
	await fetched('/js/_doc/1', { method: 'HEAD' })
	await fetched('/js/_doc/1', { method: 'DELETE' })
	await fetched('/answer/204')
	await fetched('/answer/gzip')
	await fetched('/answer/chunked')

	const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
	await asked('/js/_search', { method: 'GET', agent, headers: { ...json, 'Content-Length': 27 } },
		r => r.end('{"query":{"match_all":{ }}}'))
	await asked('/js/_bulk?chunks', { method: 'POST', agent, headers: { Trailer: 'X-Sum' } }, r => {
		lines.slice(0, 100).forEach(line => r.write(line))
		r.addTrailers({ 'X-Sum': '4711' })
		r.end()
	})
	await asked('/js/_doc/2', { method: 'PUT', agent, headers: { Expect: '100-continue', 'Content-Length': 9 } }, r => r.flushHeaders())
	await Promise.all([1, 2, 3].map(i => asked(`/js/_doc/${i}`, { method: 'POST', agent }, r => r.end(`{"n":${i}}`))))
	agent.destroy()
}

main().catch(failure => {
	console.error(failure)
	process.exit(1)
})
