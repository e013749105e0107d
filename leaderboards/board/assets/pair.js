"use strict";
// Compares two entries case by case, as bench compare does with two runs. Works from file:// too:
// what an entry's cases came to is a script that hands its data to BOARD.take.
const BOARD = (() => {
  const S = PairStatistics, loads = new Map(), waiting = new Map();
  const element = (name, text = "", kind = "") => {
    const found = document.createElement(name);
    found.textContent = text;
    if (kind) found.className = kind;
    return found;
  };
  const percent = (value) => (100 * value).toFixed(1);
  const points = (value) => `${value > 0 ? "+" : value < 0 ? "\u2212" : ""}${Math.abs(100 * value).toFixed(1)}`;
  const small = (p) => p < 0.0001 ? "< 0.0001" : p.toFixed(4);
  const plural = (n, noun) => `${n} ${noun}${n === 1 ? "" : "s"}`;

  const take = (data) => waiting.get(data.id)?.(data);

  // Each script once, however often its entry is chosen.
  const load = (id) => {
    if (!loads.has(id)) {
      loads.set(id, new Promise((done, failed) => {
        waiting.set(id, done);
        const script = document.createElement("script");
        script.src = `data/cases/${id}.js`;
        script.onerror = () => failed(new Error(`the cases of ${id} cannot be read`));
        document.head.append(script);
      }));
    }
    return loads.get(id);
  };

  const valueAt = (task, condition, episode) => {
    const found = task.values[condition][episode];
    if (task.measure === "success") return found === "-" ? null : Number(found);
    return found === "-" ? -Infinity : found;
  };
  const startAt = (task, condition, episode) =>
    task.starts[condition].slice(8 * episode, 8 * episode + 8);
  const drawnAt = (entry, task, condition, episode) => {
    const of = task.drawn[condition];
    return entry.drawn_by[Array.isArray(of) ? of[episode] : of];
  };

  // pair_up of harness/compare/pairs.py.
  const pairUp = (base, now) => {
    const theirs = new Map(base.tasks.map((task) => [task.id, task]));
    const found = [];
    for (const task of now.tasks) {
      const other = theirs.get(task.id);
      if (!other) continue;
      const pairs = [], at = new Map(other.conditions.map((key, k) => [JSON.stringify(key), k]));
      let missing = 0, unlike = 0, apart = 0, unknown = 0;
      for (let episode = 0; episode < task.episodes; episode++) {
        const theirEpisode = task.first_seed + episode - other.first_seed;
        if (theirEpisode < 0 || theirEpisode >= other.episodes) continue;
        task.conditions.forEach((key, k) => {
          const theirK = at.get(JSON.stringify(key));
          if (theirK === undefined) return;
          const values = [valueAt(other, theirK, theirEpisode), valueAt(task, k, episode)];
          if (values.includes(null)) { missing += 1; return; }
          const starts = [startAt(other, theirK, theirEpisode), startAt(task, k, episode)];
          const silent = starts.includes("00000000");
          if (!silent && starts[0] !== starts[1]) { unlike += 1; return; }
          const drawn = [drawnAt(base, other, theirK, theirEpisode), drawnAt(now, task, k, episode)];
          const named = drawn.every((name) => name && name !== "?");
          if (named && drawn[0] !== drawn[1]) { apart += 1; return; }
          unknown += silent;
          pairs.push({ seed: task.first_seed + episode, key, base: values[0], now: values[1] });
        });
      }
      found.push({ task, pairs, missing, unlike, apart, unknown });
    }
    return found;
  };

  const bySeed = (pairs, measure) => {
    const found = new Map();
    for (const pair of pairs) {
      const change = S.difference(pair.base, pair.now, measure);
      found.set(pair.seed, [...found.get(pair.seed) ?? [], change]);
    }
    return { seeds: [...found.keys()], changes: [...found.values()].map(S.mean) };
  };

  const meanScore = (values, measure) => {
    const known = values.filter(Number.isFinite);
    const count = measure === "sign" ? known.length : values.length;
    return count ? S.sum(known) / count : null;
  };

  const group = (name, tasks) => {
    const seen = tasks.filter((each) => each.pairs.length);
    if (!seen.length) return null;
    const series = seen.map((each) => bySeed(each.pairs, each.task.measure));
    const changes = series.map((each) => each.changes);
    const designs = S.designs(changes, series.map((each) => each.seeds),
      seen.map((each) => each.task.family));
    const raw = seen.some((each) => each.task.measure === "sign");
    const of = (side) => raw ? null : S.mean(seen.map((each) =>
      meanScore(each.pairs.map((pair) => pair[side]), each.task.measure)));
    return { name, tasks: seen.length, n: S.sum(seen.map((each) => each.pairs.length)),
      base: of("base"), now: of("now"), ...S.paired(changes, designs) };
  };

  const compare = (base, now) => {
    const tasks = pairUp(base, now);
    const seen = tasks.filter((each) => each.pairs.length);
    const changes = seen.map((each) => bySeed(each.pairs, each.task.measure).changes);
    const p = changes.map(S.signFlip), adjusted = S.holm(p);
    const rows = seen.map((each, k) => ({
      task: each.task.id, domain: each.task.domain, measure: each.task.measure,
      n: each.pairs.length,
      base: meanScore(each.pairs.map((pair) => pair.base), each.task.measure),
      now: meanScore(each.pairs.map((pair) => pair.now), each.task.measure),
      losses: each.pairs.filter((pair) => pair.now < pair.base).length,
      wins: each.pairs.filter((pair) => pair.now > pair.base).length,
      ...S.paired([changes[k]], [1]), p: p[k], adjusted: adjusted[k],
    }));
    const only = (key) => tasks.map((each) =>
      ({ ...each, pairs: each.pairs.filter((pair) => JSON.stringify(pair.key) === key) }));
    const keys = [...new Set(seen.flatMap((each) =>
      each.pairs.map((pair) => JSON.stringify(pair.key))))];
    const perturbed = keys.some((key) => key !== "[]");
    return {
      tasks: rows,
      overall: group("overall", tasks),
      domains: [...new Set(seen.map((each) => each.task.domain))]
        .map((domain) => group(domain, tasks.filter((each) => each.task.domain === domain))),
      conditions: perturbed ? keys.map((key) =>
        group(JSON.parse(key).join(" + ") || "unperturbed", only(key))) : [],
      flips: seen.filter((each) => each.task.measure === "success").flatMap((each) =>
        each.pairs.filter((pair) => pair.base !== pair.now).map((pair) => ({
          task: each.task.id, seed: pair.seed, key: pair.key.join(" + "), worse: pair.now < pair.base,
        }))),
      missing: S.sum(tasks.map((each) => each.missing)),
      unlike: S.sum(tasks.map((each) => each.unlike)),
      apart: S.sum(tasks.map((each) => each.apart)),
      unknown: S.sum(tasks.map((each) => each.unknown)),
      shared: tasks.length,
    };
  };

  const refusal = (base, now) => {
    if (base.id === now.id) return "These are the same entry: a comparison needs two.";
    const name = (task) => task.id.slice(0, task.id.lastIndexOf("@"));
    const older = new Map(base.tasks.map((task) => [name(task), task]));
    const other = now.tasks.filter((task) =>
      older.has(name(task)) && older.get(name(task)).protocol !== task.protocol);
    if (other.length) {
      return `Results of different protocols are not compared: ${other[0].id}` +
        (other.length > 1 ? ` and ${plural(other.length - 1, "more task")}.` : ".");
    }
    return "";
  };

  const table = (title, lead, heads, rows) => {
    const section = element("section");
    const id = title.toLowerCase().replace(/[^a-z]+/g, "-");
    section.id = id;
    const heading = element("h2", title);
    heading.id = `${id}-title`;
    section.setAttribute("aria-labelledby", heading.id);
    const scroll = element("div", "", "scroll");
    scroll.tabIndex = 0;
    scroll.setAttribute("role", "region");
    scroll.setAttribute("aria-label", `${title}, table`);
    const body = element("table", "", "figures"), head = element("thead"), top = element("tr");
    for (const [name, kind] of heads) {
      const cell = element("th", name, kind);
      cell.scope = "col";
      top.append(cell);
    }
    head.append(top);
    const lines = element("tbody");
    for (const row of rows) {
      const line = element("tr");
      row.forEach((text, k) => line.append(element("td", text, heads[k][1])));
      lines.append(line);
    }
    body.append(head, lines);
    scroll.append(body);
    section.append(heading, element("p", lead, "lead"), scroll);
    return section;
  };

  const shown = (value, measure) => value === null ? "" :
    measure === "success" || measure === undefined ? percent(value) : value.toPrecision(4);
  const groupHeads = [["", "name"], ["base", "figure"], ["new", "figure"], ["difference", "figure"],
    ["95 %", "figure"], ["p", "figure"], ["tasks", "figure"], ["pairs", "figure"]];
  const groupRow = (row) => [row.name, shown(row.base), shown(row.now), points(row.value),
    `${points(row.low)} to ${points(row.high)}`, small(row.p), String(row.tasks), String(row.n)];

  const sentence = (found, base, now) => {
    const { value, low, high, n } = found.overall;
    const interval = `${points(low)} to ${points(high)} points at 95 %`;
    const where = `on ${plural(n, "pair")} of cases`;
    if (low > 0) return `${now.title} did better than ${base.title} ${where}: ${points(value)} points (${interval}).`;
    if (high < 0) return `${now.title} did worse than ${base.title} ${where}: ${points(value)} points (${interval}).`;
    return `${where[0].toUpperCase() + where.slice(1)} the two cannot be told apart: ${points(value)} points (${interval}).`;
  };

  const notes = (found, base, now) => {
    const said = [];
    for (const [side, other] of [[base, now], [now, base]]) {
      const known = new Set(other.tasks.map((task) => task.id));
      const lone = side.tasks.filter((task) => !known.has(task.id)).length;
      if (lone) said.push(`${plural(lone, "task")} of ${side.title} only: not compared.`);
      if (side.state !== "accepted") said.push(`${side.title} is ${side.state}: its figures are claims.`);
      if (side.privileged && !other.privileged) said.push(`${side.title} is privileged, ${other.title} is not: they did not see the same.`);
    }
    if (base.clock !== now.clock) said.push(`The control clocks differ: ${base.clock || "time waits"} | ${now.clock || "time waits"}.`);
    if (found.missing) said.push(`${plural(found.missing, "case")} without a score in one of them.`);
    if (found.unlike) said.push(`${plural(found.unlike, "case")} did not start alike, and make no pairs.`);
    if (found.apart) said.push(`${plural(found.apart, "case")} were drawn by different renderers, and make no pairs.`);
    if (found.unknown) said.push(`How they started is not recorded of ${plural(found.unknown, "case")}: taken for pairs because their seeds are equal.`);
    return said;
  };

  const show = (base, now) => {
    const place = document.getElementById("comparison");
    place.replaceChildren();
    const why = refusal(base, now);
    if (why) { place.append(element("p", why, "summary")); return; }
    const found = compare(base, now);
    BOARD.found = found;
    if (!found.shared || !found.overall) {
      place.append(element("p", found.shared ? "No case of both started alike and has a score in both." : "They share no task.", "summary"));
      return;
    }
    place.append(element("p", sentence(found, base, now), "summary"));
    const list = element("ul");
    for (const each of notes(found, base, now)) list.append(element("li", each));
    place.append(list);
    place.append(table("Overall and domains",
      "Means over tasks, in percent; the difference is new minus base, in points, over the same cases.",
      groupHeads, [found.overall, ...found.domains].filter(Boolean).map(groupRow)));
    if (found.conditions.length) {
      place.append(table("By condition", "The same for each set of perturbations.", groupHeads,
        found.conditions.filter(Boolean).map(groupRow)));
    }
    place.append(table("By task", "p: exact, of no difference; corrected: by Holm over the tasks.",
      [["task", "name"], ["base", "figure"], ["new", "figure"], ["lost", "figure"], ["won", "figure"],
        ["difference", "figure"], ["95 %", "figure"], ["p", "figure"], ["corrected", "figure"], ["pairs", "figure"]],
      found.tasks.map((row) => [row.task, shown(row.base, row.measure), shown(row.now, row.measure),
        String(row.losses), String(row.wins), points(row.value),
        `${points(row.low)} to ${points(row.high)}`, small(row.p), small(row.adjusted), String(row.n)])));
    if (found.flips.length) {
      const most = 200;
      place.append(table("Cases that only one of them solved",
        found.flips.length > most ? `The first ${most} of ${found.flips.length}.` : `${plural(found.flips.length, "case")}.`,
        [["task", "name"], ["seed", "figure"], ["perturbed by", "name"], ["solved by", "name"]],
        found.flips.slice(0, most).map((each) =>
          [each.task, String(each.seed), each.key, each.worse ? base.title : now.title])));
    }
    for (const each of place.querySelectorAll("table")) sortable(each);
  };

  const sortable = (each) => new DataTable(each, {
    paging: false, info: false, searching: false, order: [], autoWidth: false,
  });

  const option = (each) => {
    const made = element("option", `${each.title}: ${each.id} (${each.suites.join(", ")})`);
    made.value = each.id;
    return made;
  };

  // What played a suite of the base's comes first: nothing else can be compared with it.
  const offer = (select, entries, base) => {
    const before = select.value;
    const groups = [["Of the same suite", true], ["Of other suites", false]].map(([label, wanted]) => {
      const group = document.createElement("optgroup");
      group.label = label;
      group.append(...entries
        .filter((each) => each.suites.some((suite) => base.suites.includes(suite)) === wanted)
        .map(option));
      return group;
    });
    select.replaceChildren(...groups.filter((group) => group.children.length));
    const alike = [...groups[0].children].map((each) => each.value);
    select.value = alike.includes(before) && before !== base.id
      ? before : (alike.find((id) => id !== base.id) ?? base.id);
  };

  const start = (entries) => {
    const asked = new URLSearchParams(location.search);
    const selects = ["a", "b"].map((name) => document.getElementById(name));
    const known = new Map(entries.map((each) => [each.id, each]));
    if (!entries.length) return;
    selects[0].append(...entries.map(option));
    selects[0].value = known.has(asked.get("a")) ? asked.get("a") : entries[0].id;
    offer(selects[1], entries, known.get(selects[0].value));
    if (known.has(asked.get("b"))) selects[1].value = asked.get("b");
    const go = async () => {
      const ids = selects.map((select) => select.value);
      if (!ids.every((id) => known.has(id))) return;
      history.replaceState(null, "", `?a=${ids[0]}&b=${ids[1]}`);
      const place = document.getElementById("comparison");
      try {
        const [base, now] = await Promise.all(ids.map(load));
        show(base, now);
      } catch (fault) {
        place.replaceChildren(element("p", fault.message, "summary"));
      }
      place.dataset.pair = ids.join(" ");
    };
    selects[0].addEventListener("change", () => {
      offer(selects[1], entries, known.get(selects[0].value));
      go();
    });
    selects[1].addEventListener("change", go);
    go();
  };

  return { take, start };
})();
