/** What a group needs to know of a take. */
export interface Member {
  id: string;
  /** In milliseconds. */
  createdAt: number;
  /** Equal for the takes of one request: all settings except the seed, and except how a child was made. */
  request: string;
  /** The take that it was made of, or null. */
  parent: string | null;
}

/** The takes of one request, and those that were made of them. */
export interface Group<Take extends Member> {
  request: string;
  /** Oldest first, as they are numbered. */
  takes: Take[];
  newest: number;
}

/** All requests, the youngest first. The order depends on nothing but the takes, so a reload does not change it. */
export function groupsOf<Take extends Member>(takes: Iterable<Take>): Group<Take>[] {
  const groups = new Map<string, Group<Take>>();
  const requests = new Map<string, string>(); // by take
  for (const take of [...takes].sort((a, b) => a.createdAt - b.createdAt || (a.id < b.id ? -1 : 1))) {
    // A parent is older than its child, so it is here already if the page knows it.
    const request = requests.get(take.parent ?? "") ?? take.request;
    requests.set(take.id, request);
    const group = groups.get(request) ?? { request, takes: [], newest: 0 };
    group.takes.push(take);
    group.newest = take.createdAt;
    groups.set(request, group);
  }
  // As the gateway orders jobs of the same millisecond, so that older pages of its list follow and move nothing.
  return [...groups.values()].sort((a, b) => b.newest - a.newest || (youngest(a) < youngest(b) ? 1 : -1));
}

function youngest(group: Group<Member>): string {
  return group.takes.at(-1)?.id ?? "";
}
