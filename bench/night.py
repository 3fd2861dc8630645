#!/usr/bin/env python3
"""Whole nights, from raw frames to stacks, of Photosite and Siril side by side.

    bench/night.py [--preset cmos-mono|cmos-osc] [--frames 20] [--lights 24] [--rounds 3]
                   [--width 4656 --height 3520] [--part night|stack] [--work DIR]

Makes a night with `photosite simulate`. `--part night`: from the raw folder to the stacked picture,
`photosite run` against Siril's standard script (masters, calibration with cosmetic correction,
demosaicing of colour, registration, stack; winsorized 3/3 and additive with scaling on both sides).
`--part stack`: registration and stack alone, of the calibrated lights that each program made.
`--part night` of monochrome lights also runs nightlight where it is on the PATH: masters of darks, dark
flats and flats, then its one command that calibrates, registers and stacks, winsorized 3/3.
Rounds are interleaved, the first warms the page cache and does not count. Prints medians, ratios to
Siril and peak memory, and writes every number to bench/runs/. Siril (Debian's package `siril`) is
said to be missing where it is.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from common import release, report, run

FOLDERS = {"bias": "bias", "darks": "dark", "darkflats": "darkflat", "flats": "flat",
           "lights": "light"}
REJECT = "rej w 3 3"


def siril_script(night, work, colour, part):
    """The commands of Siril's standard script; Siril 1.0 says preprocess where later ones say
    calibrate."""
    version = subprocess.run(["siril-cli", "--version"], capture_output=True, text=True, check=False)
    calibrate = "preprocess" if " 1.0." in version.stdout else "calibrate"
    cfa = " -cfa -equalize_cfa -debayer" if colour else ""
    links = []
    for folder, name in FOLDERS.items():
        links += [f"cd {night / folder}", f"link {name} -out={work}"]
    masters = [
        f"stack bias {REJECT} -nonorm -out=master_bias",
        f"stack dark {REJECT} -nonorm -out=master_dark",
        f"stack darkflat {REJECT} -nonorm -out=master_darkflat",
        f"{calibrate} flat -dark=master_darkflat",
        f"stack pp_flat {REJECT} -norm=mul -out=master_flat",
        f"{calibrate} light -dark=master_dark -flat=master_flat -cc=dark{cfa}",
    ]
    stack = ["register pp_light", f"stack r_pp_light {REJECT} -norm=addscale -out=result"]
    commands = {"night": [*links, f"cd {work}", *masters, *stack],
                "lights": [*links, f"cd {work}", *masters],
                "stack": [f"cd {work}", *stack]}[part]
    return "\n".join(["requires 1.0.0", "setext fit", *commands, "close"]) + "\n"


def nightlight_script(program, night, work):
    """Masters, then calibration, registration and stack in one command. Nightlight reads files below
    the working directory alone."""
    quiet = f"{program} -jpg= -tiff= -log= -stMode=3 -stSigLow=3 -stSigHigh=3"
    master = f"{quiet} -bpSigLow=0 -bpSigHigh=0 -alignK=0 -histoRef=0 -alignRef=0"
    frames = {folder: f"stack {night.name}/{folder}/*.fits" for folder in FOLDERS}
    to = work.name
    return "\n".join([
        "set -e", f"cd {night.parent}", f"rm -f {to}/*",
        f"{master} -normHist=0 -out {to}/dark.fits {frames['darks']}",
        f"{master} -normHist=0 -out {to}/darkflat.fits {frames['darkflats']}",
        f"{master} -normHist=1 -dark {to}/darkflat.fits -out {to}/flat.fits {frames['flats']}",
        f"{quiet} -normHist=2 -dark {to}/dark.fits -flat {to}/flat.fits -out {to}/result.fits "
        + frames["lights"]]) + "\n"


def forget(work, part):
    """Siril keeps stars, registrations and statistics; a second run must not find them."""
    shutil.rmtree(work / "cache", ignore_errors=True)
    pattern = "*" if part == "night" else "r_pp_light*"
    for path in work.glob(pattern):
        path.unlink() if path.is_file() or path.is_symlink() else shutil.rmtree(path)
    sequence = work / "pp_light_.seq"
    if sequence.exists():
        lines = sequence.read_text().splitlines(keepends=True)
        sequence.write_text("".join(line for line in lines if line[0] not in "RM"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--preset", default="cmos-mono", choices=["cmos-mono", "cmos-osc"])
    parser.add_argument("--frames", type=int, default=20, help="of each kind of calibration frame")
    parser.add_argument("--lights", type=int, default=24)
    parser.add_argument("--width", type=int, default=4656)
    parser.add_argument("--height", type=int, default=3520)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--part", default="night", choices=["night", "stack"])
    parser.add_argument("--work", type=Path, help="keep frames here between calls")
    args = parser.parse_args()

    photosite = release()
    root = (args.work or Path(tempfile.mkdtemp(prefix="photosite-bench-"))).resolve()
    root.mkdir(parents=True, exist_ok=True)
    night = root / f"{args.preset}-{args.frames}-{args.lights}-{args.width}x{args.height}"
    if not night.exists():
        n = str(args.frames)
        command = [str(photosite), "simulate", "-o", str(night), "--preset", args.preset, "--width",
                   str(args.width), "--height", str(args.height), "--bias", n, "--darks", n,
                   "--flats", n, "--dark-flats", n, "--lights", str(args.lights)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    colour = args.preset == "cmos-osc"
    raw = [str(night / folder) for folder in FOLDERS]
    out, work = root / "photosite", root / "siril"
    shutil.rmtree(out, ignore_errors=True)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    with open(root / "log.txt", "ab") as log:
        whole = [str(photosite), "run", *raw, "-o", str(out), "--no-library"]
        siril = shutil.which("siril-cli")

        def script(part):
            path = root / f"{part}.ssf"
            path.write_text(siril_script(night, work, colour, part))
            return [siril, "-d", str(work), "-s", str(path)]

        if args.part == "stack":
            made = run([*whole, "--no-stack"], log)
            if made["exit"] != 0 or (siril and run(script("lights"), log)["exit"] != 0):
                sys.exit(f"the lights could not be calibrated; see {root / 'log.txt'}")
            lights = sorted(str(p) for p in (out / "calibrated").glob("*.fits"))
            ours = [str(photosite), "stack", *lights, "-o", str(out / "stack.fits"), "--register"]
        else:
            ours = whole
        contenders = [("photosite", ours)]
        if siril:
            contenders.append(("siril", script(args.part)))
        else:
            print("missing: siril (apt-get install siril)")
        nightlight = shutil.which("nightlight")
        if nightlight and args.part == "night" and not colour:
            (root / "nightlight").mkdir(exist_ok=True)
            path = root / "nightlight.sh"
            path.write_text(nightlight_script(nightlight, night, root / "nightlight"))
            contenders.append(("nightlight", ["sh", str(path)]))
        numbers = {name: [] for name, _ in contenders}
        for round_number in range(args.rounds + 1):
            for name, command in contenders:
                if name == "siril":
                    forget(work, args.part)
                elif name == "photosite" and args.part == "night":
                    shutil.rmtree(out, ignore_errors=True)
                elif name == "photosite":
                    (out / "stack.fits").unlink(missing_ok=True)
                result = run(command, log)
                product = {"siril": work / "result.fit", "photosite": out,
                           "nightlight": root / "nightlight" / "result.fits"}[name]
                if result["exit"] != 0 or not product.exists():
                    sys.exit(f"{name} failed (exit {result['exit']}); see {root / 'log.txt'}")
                if round_number > 0:
                    numbers[name].append(result)
    what = "raw folder to stack" if args.part == "night" else "registration and stack"
    title = (f"{what}: {args.lights} lights of {args.width}x{args.height} ({args.preset}), "
             f"{args.frames} frames a kind, {os.cpu_count()} cores, {args.rounds} rounds, medians")
    report(title, numbers, "siril", f"{args.part}-{args.preset}-{args.lights}x{args.width}x{args.height}",
           {"preset": args.preset, "part": args.part})
    if not args.work:
        shutil.rmtree(root)


if __name__ == "__main__":
    main()
