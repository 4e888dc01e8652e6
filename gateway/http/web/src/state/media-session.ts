import { computed, effect } from "@preact/signals";
import { silentFile } from "../audio/silence.ts";
import { factsOf } from "../components/format.ts";
import { currentJob, moveByBars, player } from "./listening.ts";
import { names } from "./marks.ts";

/**
 * Shows what plays on the lock screen and to the keys of a headset, and obeys them.
 *
 * Browsers offer this only to a page with a media element that plays, which Web Audio is not. So a silent file repeats
 * as long as the player plays. On iOS, it also makes the music audible while the phone's ringer is off.
 */
export function startMediaSession(): void {
  if (!("mediaSession" in navigator)) return;
  const silence = new Audio(URL.createObjectURL(silentFile()));
  silence.loop = true;
  effect(() => {
    const job = currentJob.value;
    navigator.mediaSession.metadata = job
      ? new MediaMetadata({
          title: names.value[job.job_id] ?? job.title ?? job.prompt,
          artist: factsOf(job).join(" · "),
          album: "TellUrStori MusicGen",
        })
      : null;
  });
  effect(() => {
    const isPlaying = player.isPlaying.value;
    navigator.mediaSession.playbackState = !player.track.value ? "none" : isPlaying ? "playing" : "paused";
    if (isPlaying)
      silence.play().catch(() => {}); // refused before the first click: then there is no lock screen either
    else silence.pause();
  });
  silence.onpause = () => {
    // A call, or another app that plays. The event comes late: by then the page itself may have started it again.
    if (silence.paused) player.pause();
  };
  const second = computed(() => Math.floor(player.position.value));
  effect(() => showPosition(second.value, player.track.value?.duration ?? 0));
  obey({
    play: () => player.isPlaying.peek() || void player.toggle(),
    pause: () => player.pause(),
    stop: () => player.pause(),
    seekto: ({ seekTime }) => void player.seek(seekTime ?? 0),
    seekbackward: () => moveByBars(-1),
    seekforward: () => moveByBars(1),
    previoustrack: () => void player.seek(0),
  });
}

/** Once a second, and after jumps: the browser counts on by itself. */
function showPosition(position: number, duration: number): void {
  if (duration <= 0) return;
  navigator.mediaSession.setPositionState({ duration, position: Math.min(position, duration), playbackRate: 1 });
}

function obey(handlers: Partial<Record<MediaSessionAction, MediaSessionActionHandler>>): void {
  for (const [action, handler] of Object.entries(handlers)) {
    try {
      navigator.mediaSession.setActionHandler(action as MediaSessionAction, handler);
    } catch {
      // An action that this browser does not know.
    }
  }
}
