"""Whether what a page shows just now can be read: enough contrast, nothing out of the window's sides."""

from __future__ import annotations

from playwright.async_api import Page

LEAST_CONTRAST = 4.5
"""WCAG 2.2, 1.4.3; 3 is enough for large letters"""
FLAWS = """(least) => {
  const channels = (colour) => {
    const [r, g, b, a = 1] = colour.match(/[\\d.]+/g).map(Number);
    return { rgb: colour.startsWith("color(") ? [r, g, b] : [r / 255, g / 255, b / 255], a };
  };
  const over = (top, below) => top.rgb.map((part, at) => part * top.a + below[at] * (1 - top.a));
  const light = (rgb) => {
    const [r, g, b] = rgb.map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = (node) => {
    if (!node) return [1, 1, 1];
    const own = channels(getComputedStyle(node).backgroundColor);
    return own.a === 1 ? own.rgb : over(own, ground(node.parentElement));
  };
  const found = [];
  const out = document.documentElement.scrollWidth - innerWidth;
  if (out > 0) found.push(`${out} pixels have to be scrolled to sideways`);
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const { parentElement: owner, textContent } = texts.currentNode;
    const box = owner.getBoundingClientRect();
    const seen = owner.checkVisibility({ opacityProperty: true, visibilityProperty: true });
    if (!textContent.trim() || !seen || box.width < 2 || box.bottom < 0 || box.top > innerHeight) continue;
    if (owner.closest(":disabled, [aria-disabled=true], [aria-hidden=true], .media, noscript, script")) continue;
    const style = getComputedStyle(owner);
    const below = ground(owner);
    const [high, low] = [light(over(channels(style.color), below)), light(below)].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    if (ratio < (large ? 3 : least)) found.push(`contrast ${ratio.toFixed(2)}: ${textContent.trim().slice(0, 60)}`);
  }
  return found;
}"""


async def flaws(page: Page, least: float = LEAST_CONTRAST) -> list[str]:
    """Return what cannot be read, or has to be scrolled to sideways."""
    found: list[str] = await page.evaluate(FLAWS, least)
    return found
