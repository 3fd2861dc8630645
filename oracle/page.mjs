// The page of a run in headless Chromium: no error, no request, nothing wider than the screen, no fault that axe-core
// finds, and pictures that are compared by mouse, touch and keyboard.
//
//     npm install playwright-core axe-core
//     node oracle/page.mjs OUT/report.html [SCREENSHOTS]
//
// Chromium is Debian's; SCREENSHOTS is the beginning of the names of pictures of the page.
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const require = createRequire(process.cwd() + '/');
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const [file, shots] = process.argv.slice(2);
const executablePath = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find(existsSync);
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
const faults = [];
const expect = (holds, what) => { if (!holds) faults.push(what); };

for (const [width, colorScheme] of [[1400, 'light'], [1400, 'dark'], [400, 'light'], [400, 'dark']]) {
  const name = `${width} ${colorScheme}`;
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme, hasTouch: width === 400 });
  const page = await context.newPage();
  page.on('console', m => expect(!['error', 'warning'].includes(m.type()), `${name}: ${m.text()}`));
  page.on('pageerror', e => expect(false, `${name}: ${e}`));
  page.on('request', r => expect(/^(file|data):/.test(r.url()), `${name}: asks for ${r.url()}`));
  await page.goto('file://' + resolve(file));
  await page.evaluate(axe);
  const found = await page.evaluate(async () => (await axe.run()).violations.map(v => `${v.id} (${v.impact}): ${v.nodes[0].html}`));
  found.forEach(v => expect(false, `${name}: ${v}`));
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  expect(wide <= width, `${name}: ${wide} pixels wide`);
  if (shots) await page.screenshot({ path: `${shots}-${width}-${colorScheme}.png`, fullPage: true });
  const compared = await page.$('.compare');
  if (compared) {
    const at = () => page.evaluate(() => document.querySelector('.compare').style.getPropertyValue('--at'));
    await compared.scrollIntoViewIfNeeded();
    const box = await compared.boundingBox();
    if (width === 400) {
      await page.touchscreen.tap(box.x + 0.7 * box.width, box.y + 30);
      expect(await at() === '70%', `${name}: a touch at 70 % shows ${await at()}`);
    } else {
      await page.mouse.move(box.x + 0.25 * box.width, box.y + 30);
      expect(await at() === '25%', `${name}: the mouse at 25 % shows ${await at()}`);
      await page.focus('.turn input');
      await page.keyboard.press('ArrowRight');
      expect(await at() === '26%', `${name}: the arrow shows ${await at()}`);
      await page.click('.turn button');
      expect(await page.getAttribute('.turn button', 'aria-pressed') === 'true', `${name}: it does not blink`);
    }
  }
  const head = await page.$('table.sort th button');
  if (head) {
    await head.click();
    expect(await page.getAttribute('table.sort th', 'aria-sort') === 'ascending', `${name}: it does not sort`);
  }
  await context.close();
}
await browser.close();
console.log(faults.length ? faults.join('\n') : `${file}: nothing is wrong`);
process.exit(faults.length ? 1 : 0);
