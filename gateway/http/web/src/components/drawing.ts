import { useSignal, useSignalEffect } from "@preact/signals";
import type { RefObject } from "preact";
import { useEffect } from "preact/hooks";

/** How far above and below the window canvases are drawn. */
const MARGIN = { rootMargin: "600px" };

/**
 * Draws a canvas, measured in CSS pixels: when it comes near the window, when its size or the colours of the page
 * change, and when a signal that `draw` or `isNeeded` reads does. Otherwise it is empty, because a canvas keeps half a
 * megabyte and more.
 */
export function useDrawing(
  canvas: RefObject<HTMLCanvasElement | null>,
  draw: (context: CanvasRenderingContext2D, width: number, height: number) => void,
  isNeeded: () => boolean,
): void {
  const isNear = useSignal(false);
  const redraw = () => {
    const element = canvas.current;
    const isShown = isNear.value && isNeeded();
    if (!element) return;
    const context = isShown && element.clientWidth > 0 ? cleared(element) : null;
    if (context) draw(context, element.clientWidth, element.clientHeight);
    else element.width = element.height = 0;
  };
  useEffect(() => {
    const sizes = new ResizeObserver(redraw);
    const theme = matchMedia("(prefers-color-scheme: dark)");
    const nearness = new IntersectionObserver((entries) => (isNear.value = entries.at(-1)!.isIntersecting), MARGIN);
    sizes.observe(canvas.current!);
    nearness.observe(canvas.current!);
    theme.addEventListener("change", redraw);
    return () => {
      sizes.disconnect();
      nearness.disconnect();
      theme.removeEventListener("change", redraw);
    };
  }, []);
  useSignalEffect(redraw);
}

/** The empty canvas at the density of the screen. */
function cleared(canvas: HTMLCanvasElement): CanvasRenderingContext2D | null {
  const density = Math.min(devicePixelRatio, 2);
  canvas.width = canvas.clientWidth * density;
  canvas.height = canvas.clientHeight * density;
  const context = canvas.getContext("2d");
  context?.scale(density, density);
  return context;
}
