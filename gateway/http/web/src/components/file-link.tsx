import type { JobView } from "@tellurstori/musicgen";
import { download, dragFile, prepareDrag } from "./files.ts";
import { mimeOf } from "./format.ts";
import { Icon } from "./icons.tsx";

interface File {
  label: string;
  path: string;
  name: string;
  type: string;
}

/** A link that downloads, and that can be dragged to a folder or a DAW. */
export function FileLink({ file, label, ...rest }: { file: File; label?: string; class: string }) {
  return (
    <a
      {...rest}
      href={file.path}
      download={file.name}
      draggable
      title={label ? "Download, or drag into your DAW" : undefined}
      aria-label={label}
      onClick={(event) => download(event, file)}
      onPointerDown={() => prepareDrag(file)}
      onDragStart={(event) => dragFile(event, file)}
    >
      {label ? <Icon name="download" /> : file.label}
    </a>
  );
}

/** The files of a take: the audio first, then MIDI, stems and the bundle. */
export function filesOf(job: JobView): File[] {
  if (!job.audio_url || job.audio_expired) return [];
  const name = job.file_name ?? `${job.job_id}.${job.format}`;
  const stem = name.replace(/\.\w+$/, "");
  const outputs = job.outputs.map((output) => outputFile(output, stem, job.format));
  const bundle = {
    label: job.outputs.length > 0 ? "Everything in one folder (ZIP)" : "Audio and recipe (ZIP)",
    path: job.links.bundle ?? "",
    name: `${stem}.zip`,
    type: "application/zip",
  };
  const files = [{ label: "Audio", path: job.audio_url, name, type: mimeOf(job.format) }, ...outputs];
  return bundle.path ? [...files, bundle] : files;
}

export function outputFile(
  { kind, name, download_url }: JobView["outputs"][number],
  stem: string,
  format: JobView["format"],
): File {
  const own = name.replace(/\.\w+$/, "");
  switch (kind) {
    case "midi":
      return { label: "MIDI", path: download_url, name: `${stem}.mid`, type: "audio/midi" };
    case "project":
      return {
        label: "Session for DAWs",
        path: download_url,
        name: `${stem}.dawproject`,
        type: "application/vnd.dawproject",
      };
    default:
      return {
        label: `Stem: ${own.replaceAll("_", " ")}`,
        path: download_url,
        name: `${stem}_${name}`,
        type: mimeOf(format),
      };
  }
}
