import { useKey } from "../api/gateway.ts";
import { announcement, isAway, keyProblem, notice } from "../state/connection.ts";
import { outage } from "../state/health.ts";
import { waiting } from "../state/retry.ts";
import { Compose } from "./compose.tsx";
import { DropTarget } from "./drop.tsx";
import { Icon } from "./icons.tsx";
import { PlayerBar } from "./player-bar.tsx";
import { isHelpOpen, Shortcuts } from "./shortcuts.tsx";
import { Takes } from "./takes.tsx";

/** The whole page. */
export function App() {
  return (
    <>
      <Top />
      {keyProblem.value === null ? (
        <main>
          <Compose />
          <Takes />
        </main>
      ) : (
        <KeyForm problem={keyProblem.value} />
      )}
      <PlayerBar />
      <Shortcuts />
      <DropTarget />
      <p class="visually-hidden" role="status">
        {announcement}
      </p>
    </>
  );
}

const AWAY = "The service is away. Trying again…";

function Top() {
  const message = isAway.value ? AWAY : notice.value || waiting.value || outage.value;
  return (
    <header class="top">
      <svg viewBox="0 0 32 32" aria-hidden="true" class="logo">
        <path d="M5 14v4M10 10v12M15 5v22M20 11v10M25 14v4" />
      </svg>
      <h1>TellUrStori MusicGen</h1>
      <p class="notice" role="status">
        {message}
      </p>
      <button
        type="button"
        class="quiet icon-button wide-only"
        aria-label="Keys"
        title="Keys (?)"
        onClick={() => (isHelpOpen.value = true)}
      >
        <Icon name="keyboard" />
      </button>
    </header>
  );
}

function KeyForm({ problem }: { problem: string }) {
  return (
    <main class="key">
      <form
        class="panel"
        onSubmit={(event) => {
          event.preventDefault();
          useKey(String(new FormData(event.currentTarget).get("key")));
        }}
      >
        <label for="key-text" class="title">
          This service needs an API key
        </label>
        <input
          id="key-text"
          name="key"
          type="password"
          required
          autocomplete="off"
          spellcheck={false}
          aria-describedby="key-problem"
        />
        <p id="key-problem" class="problem" role={problem ? "alert" : undefined}>
          {problem}
        </p>
        <button type="submit" class="primary">
          Use this key
        </button>
      </form>
    </main>
  );
}
