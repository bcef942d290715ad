// What is found out about a file, check by check, and which level each check belongs to:
// 0 signed as it states, 1 in the log, 2 in a chain, 3 the log tells the same story.

export const HOLDS = "holds";
export const NOT_SHOWN = "not-shown";
export const FAILS = "fails";

const STATUS = { 0: 1, 1: 11, 2: 12, 3: 13 };

/** No more can be checked; a reason makes the file unreadable. */
export class Stop extends Error {
  constructor(reason = null) {
    super();
    this.reason = reason;
  }
}

/** What `run` finds out; it is given the report to write in. */
export async function reported(kind, run) {
  const levels = { 0: NOT_SHOWN, 1: NOT_SHOWN, 2: NOT_SHOWN, 3: NOT_SHOWN };
  const report = {
    verdict: "invalid", kind, level: null, levels, keysFrom: null, checks: [], reason: null, documents: [],
  };
  try {
    await run(report);
  } catch (error) {
    if (!(error instanceof Stop)) throw error;
    report.reason = error.reason;
    if (error.reason !== null) levels[0] = FAILS;
  }
  if (levels[0] === FAILS) Object.assign(levels, { 1: NOT_SHOWN, 2: NOT_SHOWN, 3: NOT_SHOWN });
  if (report.reason !== null) report.verdict = "unreadable";
  else if (!Object.values(levels).includes(FAILS)) report.verdict = "valid";
  if (report.verdict === "valid") report.level = reached(report);
  return report;
}

/** A bundle reaches what all of its documents reach. */
function reached({ levels, documents }) {
  if (documents.length > 0) return Math.min(...documents.map(({ report }) => report.level));
  return levels[2] === HOLDS ? 2 : levels[1] === HOLDS ? 1 : 0;
}

/** Write one check down; true when there is no problem. */
export function check(report, level, name, problem) {
  report.checks.push([name, problem]);
  if (problem !== null) report.levels[level] = FAILS;
  return problem === null;
}

/** The same; a problem ends everything. */
export function must(report, level, name, problem) {
  if (!check(report, level, name, problem)) throw new Stop();
}

/** The level holds, unless a check of it failed. */
export function settle(report, level) {
  if (report.levels[level] === NOT_SHOWN) report.levels[level] = HOLDS;
}

/**
 * The exit status that says it: 0 valid, 2 unreadable, else that of the lowest level that fails, or is not shown
 * though `asked` for it. Chains are asked for only by level 2 itself.
 */
export function statusOf({ verdict, levels }, asked = 0) {
  if (verdict === "unreadable") return 2;
  const isAsked = (level) => level <= asked && (level !== 2 || asked === 2);
  const isShort = (level) => levels[level] === FAILS || (levels[level] === NOT_SHOWN && isAsked(level));
  const lowest = [0, 1, 2, 3].find(isShort);
  return lowest === undefined ? 0 : STATUS[lowest];
}
