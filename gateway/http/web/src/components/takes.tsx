import { useEffect, useRef } from "preact/hooks";
import { cancelAll } from "../state/actions.ts";
import { hasLoaded, loadOlder, olderCursor } from "../state/feed.ts";
import { favourites, hidden, names } from "../state/marks.ts";
import {
  groups,
  isRunning,
  onlyFavourites,
  type ShownGroup,
  search,
  showHidden,
  shownGroups,
  type Take,
  takes,
} from "../state/takes.ts";
import { Card } from "./card.tsx";
import { factsOf, moment } from "./format.ts";
import { Icon } from "./icons.tsx";

/** The list of takes with its search and filters. */
export function Takes() {
  const shown = groups.value.slice(0, shownGroups.value);
  return (
    <section class="takes" aria-label="Takes">
      <SearchBar />
      {shown.map((group) => (
        <Request key={group.request} group={group} />
      ))}
      {hasLoaded.value && groups.value.length === 0 && <Nothing />}
      <More />
    </section>
  );
}

function SearchBar() {
  if (takes.value.size === 0) return null;
  return (
    <search class="search">
      <Icon name="search" />
      <input
        id="search"
        type="search"
        placeholder="Search takes"
        aria-label="Search takes: words, tempo, key, instruments"
        aria-keyshortcuts="/"
        value={search.value}
        onInput={({ currentTarget }) => (search.value = currentTarget.value)}
      />
      <button
        type="button"
        class="quiet icon-button"
        aria-pressed={onlyFavourites.value}
        aria-label="Only favourites"
        title="Only favourites"
        onClick={() => (onlyFavourites.value = !onlyFavourites.value)}
      >
        <Icon name="star" filled={onlyFavourites.value} />
      </button>
      {hidden.value.length > 0 && (
        <button
          type="button"
          class="quiet"
          aria-pressed={showHidden.value}
          onClick={() => (showHidden.value = !showHidden.value)}
        >
          {hidden.value.length} hidden
        </button>
      )}
    </search>
  );
}

/** The takes of one request under its prompt; the youngest first. */
function Request({ group }: { group: ShownGroup }) {
  const first = group.takes[0]!.job.value;
  const facts = sharedFacts(group);
  const numbered = group.takes.map((take, index) => ({ take, number: index + 1 })).reverse();
  const shown = numbered.filter(({ take }) => group.shown.includes(take));
  const nameOf = (id: string) => {
    const number = group.takes.findIndex((take) => take.id === id) + 1;
    return names.value[id] ?? (number > 0 ? `Take ${number}` : null);
  };
  return (
    <div class="request" role="group" aria-label={first.prompt}>
      <header>
        <h2 title={first.prompt}>{first.title ?? first.prompt}</h2>
        <p class="facts">
          {facts.map((fact) => (
            <span key={fact} class="numbers">
              {fact}
            </span>
          ))}
          <span class="dim">{first.model}</span>
          <time class="dim" dateTime={new Date(group.newest).toISOString()}>
            {moment(group.newest)}
          </time>
          <CancelAll takes={group.takes} />
        </p>
      </header>
      {shown.map(({ take, number }) => (
        <Card key={take.id} take={take} number={number} parentName={nameOf(take.parent ?? "")} shared={facts} />
      ))}
    </div>
  );
}

/** Ends all takes of a request at once, where several are waiting or being made. */
function CancelAll({ takes }: { takes: Take[] }) {
  const running = takes.map(({ job }) => job.value).filter(isRunning);
  if (running.length < 2) return null;
  return (
    <button type="button" class="small" onClick={() => cancelAll(running)}>
      Cancel all {running.length}
    </button>
  );
}

/** The facts that all takes of a request have in common. The others stand on the cards. */
function sharedFacts({ takes }: ShownGroup): string[] {
  const [first = [], ...others] = takes.map(({ job }) => factsOf(job.value));
  return first.filter((fact) => others.every((facts) => facts.includes(fact)));
}

function Nothing() {
  const isFiltered = search.value !== "" || onlyFavourites.value || (hidden.value.length > 0 && takes.value.size > 0);
  if (isFiltered) {
    const hint =
      onlyFavourites.value && favourites.value.length === 0
        ? "Mark takes with the star to keep them here."
        : "No take matches.";
    return <p class="nothing">{hint}</p>;
  }
  return (
    <div class="nothing">
      <svg viewBox="0 0 120 40" aria-hidden="true" class="flat-line">
        <path d="M2 20h16M22 14v12M28 8v24M34 16v8M40 4v32M46 12v16M52 17v6M58 20h60" />
      </svg>
      <h2>Your takes appear here</h2>
      <p>Describe some music, or start from an example. You can listen while it is being made.</p>
    </div>
  );
}

/** Shows more of the list when its end comes into view. */
function More() {
  const end = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const nearness = new IntersectionObserver(
      ([entry]) => {
        if (!entry?.isIntersecting) return;
        if (shownGroups.peek() < groups.peek().length) shownGroups.value += 30;
        else void loadOlder();
      },
      { rootMargin: "800px" },
    );
    nearness.observe(end.current!);
    return () => nearness.disconnect();
  }, [shownGroups.value, groups.value.length, olderCursor.value]);
  return <div ref={end} class="list-end" />;
}
