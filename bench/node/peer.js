"use strict";
// A Node appservice library as it is, with one INSERT per event: node peer.js LIBRARY DATABASE
//
// Says `ready PORT`. To each line with a number of events it says the microseconds of CPU that this process has spent
// when that many more have been inserted.

const Module = require("node:module");
const readline = require("node:readline");

// The libraries load the native part of their encryption, which is not installed and not used here.
const load = Module._load;
const nothing = new Proxy(class {}, { get: (target, name) => (name in target ? target[name] : nothing) });
Module._load = (name, ...rest) => (name === "@matrix-org/matrix-sdk-crypto-nodejs" ? nothing : load(name, ...rest));

const { Pool } = require("pg");

const TOKEN = "hs-token";
const INSERT =
    "INSERT INTO one_by_one (origin_ts, event_id, room_id, type, sender, body) VALUES ($1, $2, $3, $4, $5, $6)" +
    " ON CONFLICT DO NOTHING";
const registration = {
    id: "bench",
    url: "http://127.0.0.1",
    as_token: "as-token",
    hs_token: TOKEN,
    sender_localpart: "bot",
    namespaces: { users: [{ exclusive: false, regex: "@.*:example\\.org" }], aliases: [], rooms: [] },
};

const [library, database] = process.argv.slice(2);
const pool = new Pool({ connectionString: database });
let inserted = 0;
let goal = Infinity;
let began = process.cpuUsage();

async function insert(event) {
    const body = Buffer.from(JSON.stringify(event));
    await pool.query({
        name: "insert",
        text: INSERT,
        values: [event.origin_server_ts, event.event_id, event.room_id, event.type, event.sender, body],
    });
    inserted += 1;
    if (inserted >= goal) {
        goal = Infinity;
        const { user, system } = process.cpuUsage(began);
        console.log(user + system);
    }
}

const LIBRARIES = {
    async "matrix-bot-sdk"() {
        const { Appservice, LogLevel, LogService } = require("matrix-bot-sdk");
        LogService.setLevel(LogLevel.ERROR);
        const appservice = new Appservice({
            port: 0,
            bindAddress: "127.0.0.1",
            homeserverName: "example.org",
            homeserverUrl: "http://127.0.0.1",
            registration,
        });
        appservice.on("room.event", (room, event) => void insert(event));
        const server = appservice.expressAppInstance.listen(0, "127.0.0.1");
        await new Promise((resolve) => server.once("listening", resolve));
        return server.address().port;
    },
    async "matrix-appservice-bridge"() {
        const { AppServiceRegistration, Bridge, Logger } = require("matrix-appservice-bridge");
        Logger.configure({ console: "off" });
        const bridge = new Bridge({
            homeserverUrl: "http://127.0.0.1",
            domain: "example.org",
            registration: AppServiceRegistration.fromObject(registration),
            disableStores: true,
            disableContext: true,
            controller: {
                onUserQuery: () => null,
                onEvent: (request) => request.outcomeFrom(insert(request.getData())),
            },
        });
        await bridge.initialise();
        await bridge.listen(0, "127.0.0.1");
        return bridge.appService.server.address().port;
    },
};

readline.createInterface({ input: process.stdin }).on("line", (line) => {
    goal = inserted + Number(line);
    began = process.cpuUsage();
});
process.stdin.once("end", () => process.exit());
LIBRARIES[library]().then((port) => console.log(`ready ${port}`));
