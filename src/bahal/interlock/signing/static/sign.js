// The signing page's whole script: asks the interlock what to sign, lets the passkey sign it, gives it back.
"use strict";

const bytes = (text) =>
  Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
const text = (data) =>
  btoa(String.fromCharCode(...new Uint8Array(data))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

async function ask(path, given) {
  const answer = await fetch(path, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(given),
    credentials: "omit", cache: "no-store", redirect: "error", referrerPolicy: "origin",
  });
  const said = await answer.json();
  if (!answer.ok) throw { said };
  return said;
}

async function sign(login, path, tell, form) {
  tell(form.dataset.working);
  const asked = await ask(`${path}/begin`, { login });
  tell(form.dataset.touch);
  const given = await navigator.credentials.get({
    publicKey: {
      challenge: bytes(asked.challenge), rpId: asked.host, userVerification: "required", timeout: 300000,
      allowCredentials: asked.credentials.map((id) => ({ type: "public-key", id: bytes(id) })),
    },
  });
  await ask(`${path}/sign`, {
    login, credential: text(given.rawId), authenticator_data: text(given.response.authenticatorData),
    client_data: text(given.response.clientDataJSON), signature: text(given.response.signature),
  });
  tell(form.dataset.done);
  form.querySelector("button").hidden = true;
}

async function make(login, path, tell, form) {
  tell(form.dataset.making);
  const asked = await ask(`${path}/begin`, { login });
  const given = await navigator.credentials.create({
    publicKey: {
      challenge: bytes(asked.challenge), rp: asked.rp, user: { ...asked.user, id: bytes(asked.user.id) },
      pubKeyCredParams: [-7, -8, -257].map((alg) => ({ type: "public-key", alg })), attestation: "none",
      authenticatorSelection: { userVerification: "required", residentKey: "discouraged" }, timeout: 300000,
    },
  });
  const made = await ask(`${path}/sign`, {
    login, making: asked.making, authenticator_data: text(given.response.getAuthenticatorData()),
    client_data: text(given.response.clientDataJSON),
  });
  tell(`${form.dataset.made} ${made.fingerprint}`);
}

for (const form of document.querySelectorAll("form[data-do]")) {
  const status = form.querySelector("[role=status]");
  const tell = (words, refused) => {
    status.hidden = false;
    status.classList.toggle("refused", Boolean(refused));
    status.textContent = words;
  };
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    try {
      const act = form.dataset.do === "sign" ? sign : make;
      await act(form.elements.login.value.trim(), form.dataset.path, tell, form);
    } catch (failure) {
      const { said } = failure;
      tell(said ? said[form.dataset.language] : form.dataset[failure instanceof TypeError ? "lost" : "cancelled"], true);
    } finally {
      button.disabled = false;
    }
  });
}
