// Who is at the desk: a cookie that scripts cannot read, made from a token that is pasted or comes in the address.

const PATH = "/api/v1/session";
const IN_ADDRESS = /^#token=(.+)$/;

export class Session {
  constructor(api) {
    this.api = api;
    this.name = null;
    this.scopes = [];
  }

  may(scope) {
    return this.scopes.includes(scope);
  }

  // Go on with the cookie, or with a token in the address, which is used once and never left there to be seen.
  // Throws a `Problem` of 401 where neither is good.
  async begin() {
    const token = tokenInAddress();
    if (token === null) this.take(await this.api.get(PATH));
    else await this.login(token);
  }

  async login(token) {
    this.take(await this.api.post(PATH, { token }));
  }

  async logout() {
    await this.api.delete(PATH);
    this.forget();
  }

  forget() {
    this.name = null;
    this.scopes = [];
  }

  take({ name, scopes }) {
    this.name = name;
    this.scopes = scopes;
  }
}

function tokenInAddress() {
  const found = IN_ADDRESS.exec(location.hash);
  if (!found) return null;
  history.replaceState(null, "", `${location.pathname}${location.search}#/`);
  return decodeURIComponent(found[1]).trim();
}
