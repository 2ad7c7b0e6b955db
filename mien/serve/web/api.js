// The server's API: uploads, jobs and their results; with the token, where the server asks for one.

let token = "";
let askForToken = async () => "";

/** What asks the user for a token; resolves to "" where there is none to be had. */
export function onTokenWanted(ask) { askForToken = ask; }
export const hasToken = () => token !== "";

/** What the server refuses, in its own words. */
export class Refused extends Error {}

/** Sends a form; `onSent(share)` tells how much is there. Resolves to the answer's JSON. */
export async function send(path, form, { onSent, signal }) {
  return retried(() => new Promise((resolve, reject) => {
    const request = new XMLHttpRequest(); // fetch does not tell how much was sent
    request.open("POST", path);
    if (token) request.setRequestHeader("Authorization", `Bearer ${token}`);
    request.upload.addEventListener("progress", (event) => { if (event.lengthComputable) onSent(event.loaded / event.total); });
    request.addEventListener("load", () => resolve({ status: request.status, text: request.responseText }));
    request.addEventListener("error", () => reject(new Refused(NO_ANSWER)));
    request.addEventListener("abort", () => reject(new DOMException("", "AbortError")));
    signal.addEventListener("abort", () => request.abort());
    request.send(form);
  })).then(({ text }) => JSON.parse(text));
}

/** The JSON at a path. */
export async function get(path, options = {}) { return (await getResponse(path, options)).json(); }
/** The file at a path. */
export async function getBlob(path) { return (await getResponse(path, {})).blob(); }
/** Deletes a job with all that belongs to it. */
export async function remove(path) { await getResponse(path, { method: "DELETE" }); }

const NO_ANSWER = "The server does not answer. Is it still running?";

async function getResponse(path, options) {
  return retried(async () => {
    const headers = token ? { Authorization: `Bearer ${token}` } : {};
    return fetch(path, { ...options, headers }).catch((error) => {
      if (error.name === "AbortError") throw error;
      throw new Refused(NO_ANSWER);
    });
  });
}

/** Asks for the token and once more where it is wanted; raises Refused for what the server refuses. */
async function retried(request) {
  let answer = await request();
  while (answer.status === 401) {
    const given = await askForToken(token ? "That token was not taken." : "");
    if (!given) break;
    token = given;
    answer = await request();
  }
  if (answer.status >= 400) throw new Refused(messageOf(answer.status, answer.text instanceof Function ? await answer.text() : answer.text));
  return answer;
}

function messageOf(status, text) {
  try {
    return JSON.parse(text).error.message;
  } catch {
    return `The server answered with status ${status}.`;
  }
}
