import { render } from "preact";
import { bounce } from "./audio/bounce.ts";
import { startVoice } from "./audio/schedule.ts";
import { App } from "./components/app.tsx";
import { listenToKeys } from "./components/shortcuts.tsx";
import { startFeed } from "./state/feed.ts";
import { startReading } from "./state/form.ts";
import { watchHealth } from "./state/health.ts";
import { player } from "./state/listening.ts";
import { startMediaSession } from "./state/media-session.ts";
import "./styles/studio.css";

/** For the console and for tests: the player, the schedule that it plays, and what renders the same. */
declare global {
  var studio: { player: typeof player; startVoice: typeof startVoice; bounce: typeof bounce };
}
globalThis.studio = { player, startVoice, bounce };

startReading();
startFeed();
void watchHealth();
startMediaSession();
listenToKeys();
render(<App />, document.getElementById("studio")!);
