"use strict";

const INTERVAL_MS = 2000;
const byId = (id) => document.getElementById(id);

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function mebibytes(bytes) {
  return `${Math.round(bytes / 1048576)} MiB`;
}

function showCluster(status) {
  const { cluster, catalog, node } = status;
  const facts = [
    ["Name", cluster.name],
    ["Leader", cluster.leader ?? "none known"],
    ["Term", cluster.term],
    ["Applied", cluster.applied],
    ["Catalog revision", `${catalog.revision}${catalog.following ? "" : " (local copy, no controller streams)"}`],
    ["Format", `${cluster.format}; this node reads up to ${node.newest_format}`],
    ["Functions", catalog.functions],
    ["Controllers", cluster.controllers.map((c) => `${c.name} (${c.zone}${c.voter ? "" : ", learns"})`).join(", ") || "–"],
    ["Version", node.version],
  ];
  if (node.sandbox) {
    facts.push(["Sandbox", `${node.sandbox.driver}; not enforced: ${node.sandbox.missing.join(", ") || "nothing"}`]);
  }
  byId("cluster").replaceChildren(...facts.flatMap(([name, value]) => [element("dt", name), element("dd", value)]));
}

function showMembers(members) {
  const rows = members.map((m) => {
    const row = document.createElement("tr");
    const free = m.capacity;
    const cells = [
      m.name,
      m.zone,
      m.roles.join(", "),
      m.draining ? "draining" : "up",
      free ? `${free.slots_free} of ${free.slots}` : "–",
      free ? mebibytes(free.memory_free_bytes) : "–",
      free ? m.warm : "–",
      m.public_address || m.address,
    ];
    row.append(...cells.map((text) => element("td", text)));
    return row;
  });
  byId("members").replaceChildren(...rows);
}

async function refresh() {
  const state = byId("state");
  try {
    const answer = await fetch("/status", { signal: AbortSignal.timeout(INTERVAL_MS) });
    const status = await answer.json();
    byId("node").textContent = `${status.node.name} in ${status.node.zone}`;
    state.textContent = status.readiness.ready ? "ready" : `not ready: ${status.readiness.reasons.join("; ")}`;
    state.className = status.readiness.ready ? "good" : "bad";
    showCluster(status);
    showMembers(status.members);
  } catch {
    state.textContent = "this node does not answer";
    state.className = "bad";
  }
  setTimeout(refresh, INTERVAL_MS);
}

refresh();
