import { change, form } from "../state/form.ts";
import { FAMILIES, PROGRAMS } from "./programs.ts";

/** Which instruments of a take's score play, and with which sounds. */
export function ScorePlayers({ instruments }: { instruments: readonly string[] }) {
  const { players, programs } = form.value;
  const plays = (name: string) => players.length === 0 || players.includes(name);
  const toggle = (name: string) => {
    const some = instruments.filter((each) => plays(each) !== (each === name));
    change({ players: some.length === instruments.length ? [] : some });
  };
  const setProgram = (name: string, program: string) => {
    const { [name]: _, ...others } = programs;
    change({ programs: program === "" ? others : { ...others, [name]: Number(program) } });
  };
  return (
    <div class="score-players" role="group" aria-label="Instruments to play">
      {instruments.map((name) => (
        <div key={name} class="row">
          <label class="check">
            <input
              type="checkbox"
              checked={plays(name)}
              disabled={plays(name) && players.length === 1}
              onChange={() => toggle(name)}
            />
            {name}
          </label>
          <select
            aria-label={`Sound of ${name}`}
            value={String(programs[name] ?? "")}
            onChange={({ currentTarget }) => setProgram(name, currentTarget.value)}
          >
            <option value="">as it is</option>
            {FAMILIES.map((family, index) => (
              <optgroup key={family} label={family}>
                {PROGRAMS.slice(8 * index, 8 * index + 8).map((program, offset) => (
                  <option key={program} value={String(8 * index + offset)}>
                    {program}
                  </option>
                ))}
              </optgroup>
            ))}
          </select>
        </div>
      ))}
    </div>
  );
}
