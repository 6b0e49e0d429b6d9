// Requests to the feed: JSON in, JSON out, and every refusal a `Problem` with the server's own words.
//
// Paths are whole ("/api/v1/stations"). A 401 is also told to whoever has the session, wherever it came from.
// What cannot reach the server throws what fetch throws: the caller keeps what it has.

const REQUEST_MS = 5000;

export class Problem extends Error {
  constructor(status, body) {
    super(body.detail || body.title || `HTTP ${status}`);
    this.status = status;
    this.body = body; // the whole problem document, with `as_of` and what else it carries
  }
}

export class Api {
  constructor(onUnauthorised) {
    this.onUnauthorised = onUnauthorised;
  }

  get(path) {
    return this.request("GET", path);
  }

  post(path, body = {}) {
    return this.request("POST", path, body);
  }

  delete(path) {
    return this.request("DELETE", path);
  }

  async request(method, path, body) {
    const response = await fetch(path, {
      method,
      cache: "no-store",
      signal: AbortSignal.timeout(REQUEST_MS),
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    if (response.ok) return response.status === 204 ? {} : response.json(); // one that breaks off throws
    const problem = new Problem(response.status, await response.json().catch(() => ({})));
    if (response.status === 401) this.onUnauthorised(problem);
    throw problem;
  }
}
