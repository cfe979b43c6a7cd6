// SPDX-License-Identifier: BSD-2-Clause
// The flame graph's hands: draws the cells that can be seen, zooms, searches, tells.
// Runs in an .svg alone and in a page; it loads nothing and evaluates nothing.
(function () {
	"use strict";
	const ROW = 18, LETTER = 7.3, LEAST = 0.5;
	const data = JSON.parse(document.getElementById("data").textContent);
	const svg = document.getElementById("graph"), bar = document.getElementById("bar");
	const alone = document.documentElement === svg;
	const top = alone ? 132 : 4; // below the bar, which is inside of the picture when it is alone
	const kinds = { 0: "user", 1: "inlined", 2: "jit", 3: "python", 4: "kernel", 5: "waker", 6: "mark",
		32: "process", 33: "thread" };
	const suffixes = { inlined: "_[i]", jit: "_[j]", kernel: "_[k]", waker: "_[w]" };
	let cells = [], grouped = false, zoom = 0, focus = 0, found = null, width = 0;

	function make(parent, name, attributes, text) {
		const e = document.createElementNS(parent.namespaceURI, name);
		for (const key in attributes || {})
			e.setAttribute(key, attributes[key]);
		if (text !== undefined)
			e.textContent = text;
		parent.appendChild(e);
		return e;
	}

	// --- figures for people ---

	function digits(v) {
		return v < 9.995 ? v.toFixed(2) : v < 99.95 ? v.toFixed(1) : v.toFixed(0);
	}
	function time(ns) {
		const units = [[1e9, "s"], [1e6, "ms"], [1e3, "\u00b5s"]];
		for (const [size, unit] of units)
			if (ns >= size * 0.9995)
				return (ns >= 1e11 ? Math.round(ns / size).toLocaleString("en") : digits(ns / size)) + " " + unit;
		return ns + " ns";
	}
	function share(part, whole) {
		const percent = whole ? 100 * part / whole : 0;
		return percent && percent < 0.01 ? "<0.01 %" : percent.toFixed(percent < 1 ? 2 : 1) + " %";
	}

	// --- the tree, and the cells of it: a node, or what of a node is in one state ---

	function read() {
		const nodes = [], flat = data.nodes;
		for (let i = 0; i !== flat.length;) {
			const node = { depth: flat[i], frame: data.frames[flat[i + 1]], states: new Map(), ns: 0 };
			const end = i + 3 + 2 * flat[i + 2];
			for (i += 3; i !== end; i += 2) {
				node.states.set(flat[i], flat[i + 1]);
				node.ns += flat[i + 1];
			}
			nodes.push(node);
		}
		return nodes;
	}
	const nodes = read(), whole = nodes[0].ns;
	const order = data.states.map((_, i) => i).filter(i => nodes[0].states.get(i))
		.sort((a, b) => nodes[0].states.get(b) - nodes[0].states.get(a));

	// state -1: all of them; shift: rows above the tree's second
	function addCells(state, x, shift) {
		const next = [x], parents = [0];
		nodes.forEach((node, i) => {
			const ns = state === -1 ? node.ns : node.states.get(state) || 0;
			if (i ? !ns : shift) { // the root is always there, and but once
				next[1] = next[1] || x;
				return;
			}
			const depth = node.depth, at = next[depth];
			next[depth] = at + ns;
			next[depth + 1] = at;
			const parent = depth ? parents[depth - 1] : -1;
			parents[depth] = cells.length;
			cells.push({ node, state, x: at, ns, row: depth + shift, parent });
		});
	}
	function layout() {
		cells = [];
		if (!grouped)
			return addCells(-1, 0, 0);
		cells.push({ node: nodes[0], state: -1, x: 0, ns: whole, row: 0, parent: -1 });
		let x = 0;
		for (const state of order) {
			const ns = nodes[0].states.get(state), band = cells.length;
			cells.push({ node: nodes[0], state, x, ns, row: 1, parent: 0, band: true });
			addCells(state, x, 1);
			for (let i = band + 1; i !== cells.length; i++)
				if (cells[i].row === 2)
					cells[i].parent = band;
			x += ns;
		}
	}

	// --- drawing ---

	function kind(cell) {
		return kinds[cell.node.frame[1]];
	}
	function label(cell) {
		if (cell.band)
			return "[" + data.states[cell.state] + "]";
		if (!cell.row)
			return "all";
		return cell.node.frame[0] + (suffixes[kind(cell)] || "");
	}
	function states(cell) {
		if (cell.state !== -1)
			return [[cell.state, cell.ns]];
		return order.map(s => [s, cell.node.states.get(s) || 0]).filter(s => s[1]);
	}
	function describe(cell) {
		const [, , module, path] = cell.node.frame, view = cells[zoom];
		const places = cell.row && !cell.band ? [module, path].filter(p => p) : [];
		const where = places.length ? " (" + places.join(", ") + ")" : "";
		const of = zoom ? ", " + share(Math.min(cell.ns, view.ns), view.ns) + " of what is shown" : "";
		const parts = states(cell).map(s => data.states[s[0]] + " " + time(s[1])).join(", ");
		return label(cell) + where + "\n" + time(cell.ns) + ", " + share(cell.ns, whole) + " of all" + of + ": " + parts;
	}
	function boxes(g, cell, x, y, w) {
		const parts = states(cell).sort((a, b) => b[1] - a[1]);
		const box = (s, bx, bw) => make(g, "rect", { x: bx, y, width: bw, height: ROW - 1,
			class: "box st-" + data.states[s] });
		if (!cell.row || !parts.length)
			return make(g, "rect", { x, y, width: w, height: ROW - 1, class: "box all" });
		if (parts[0][1] > 0.97 * cell.ns)
			return box(parts[0][0], x, w);
		let at = x;
		for (const [s, ns] of parts) {
			const part = w * ns / cell.ns;
			if (part >= LEAST)
				box(s, at, part);
			at += part;
		}
		return null;
	}
	function drawCell(i, x, w) {
		const cell = cells[i], y = top + cell.row * ROW, view = cells[zoom];
		const above = cell.row < view.row ? " above" : "";
		const g = make(svg, "g", { class: "cell" + above, "data-i": i });
		make(g, "title", {}, describe(cell));
		boxes(g, cell, x, y, w);
		if (cell.row && !cell.band && w > 4)
			make(g, "rect", { x, y, width: 3, height: ROW - 1, class: "kind " + kind(cell) });
		make(g, "rect", { x, y, width: w, height: ROW - 1, class: "frame" });
		const room = Math.floor((w - 8) / LETTER), text = label(cell);
		if (room >= 3)
			make(g, "text", { x: x + 5, y: y + ROW - 5, class: cell.row && !cell.band ? kind(cell) : "" },
				text.length > room ? text.slice(0, room - 1) + "\u2026" : text);
	}
	function draw() {
		svg.querySelectorAll(".cell").forEach(e => e.remove());
		const view = cells[zoom], end = view.x + view.ns;
		width = (alone ? window.innerWidth : svg.clientWidth) - (alone ? 2 : 0);
		let rows = 0;
		cells.forEach((cell, i) => {
			const from = Math.max(cell.x, view.x), to = Math.min(cell.x + cell.ns, end);
			const w = view.ns ? (to - from) / view.ns * width : i ? 0 : width;
			if (w < LEAST)
				return;
			drawCell(i, view.ns ? (from - view.x) / view.ns * width : 0, w);
			rows = Math.max(rows, cell.row);
		});
		svg.setAttribute("height", top + (rows + 1) * ROW + 4);
		if (alone)
			svg.setAttribute("width", "100%");
		mark();
	}
	function mark() {
		svg.classList.toggle("searching", found !== null);
		svg.querySelectorAll(".cell").forEach(e => {
			const i = +e.getAttribute("data-i");
			e.classList.toggle("focus", i === focus && document.activeElement === svg);
			e.classList.toggle("match", found !== null && found.has(i));
		});
	}

	// --- the bar ---

	const head = make(bar, "div", {}), tools = make(bar, "div", {}), legend = make(bar, "div", { class: "faint" });
	make(head, "h1", { title: data.target }, data.target);
	make(head, "span", { class: "faint", id: "sum" }, time(whole) + " of thread time" + (data.note ? "; " + data.note : ""));
	const input = make(tools, "input", { type: "search", id: "search", placeholder: "search (/)",
		"aria-label": "search for functions, a regular expression" });
	const matched = make(tools, "span", { id: "matched", "aria-live": "polite" });
	const reset = make(tools, "button", { id: "reset", type: "button" }, "zoom out (Esc)");
	const group = make(tools, "button", { id: "group", type: "button", "aria-pressed": "false" }, "by state (s)");
	const theme = make(tools, "button", { id: "theme", type: "button" }, "light or dark (t)");
	make(tools, "span", { class: "faint" }, "arrows and Enter move and zoom");
	for (const s of order) {
		const item = make(legend, "span", { class: "state" });
		make(item, "span", { class: "chip st-" + data.states[s] });
		item.appendChild(document.createTextNode(data.states[s] + " " + share(nodes[0].states.get(s), whole)));
	}
	for (const name of ["kernel", "inlined", "python", "jit", "waker"]) {
		if (!nodes.some(n => kinds[n.frame[1]] === name))
			continue;
		const item = make(legend, "span", { class: "kinds" });
		make(item, "span", { class: "chip stripe kind " + name });
		item.appendChild(document.createTextNode(name + (suffixes[name] ? " " + suffixes[name] : "")));
	}
	const info = make(bar, "div", { id: "info", "aria-live": "polite" });

	function tell(cell) {
		info.textContent = cell ? describe(cell) : "";
	}
	function search() {
		found = null;
		matched.textContent = "";
		if (input.value) {
			let wanted, ns = 0, end = -1;
			try {
				wanted = new RegExp(input.value, "i");
			} catch (e) {
				wanted = new RegExp(input.value.replace(/[^\w]/g, "\\$&"), "i");
			}
			found = new Set();
			cells.forEach((cell, i) => {
				if (!cell.row || !wanted.test(label(cell)))
					return;
				found.add(i);
				if (cell.x >= end) { // not inside of one that was counted: cells come parents first
					ns += cell.ns;
					end = cell.x + cell.ns;
				}
			});
			matched.textContent = share(ns, whole) + ", " + time(ns) + " in what matches";
		}
		mark();
	}
	function zoomTo(i) {
		zoom = focus = i;
		draw();
		tell(i ? cells[i] : null);
	}
	function regroup() {
		grouped = !grouped;
		group.setAttribute("aria-pressed", grouped);
		layout();
		zoom = focus = 0;
		search();
		draw();
	}
	function repaint() {
		const dark = window.matchMedia("(prefers-color-scheme: dark)").matches;
		const list = document.documentElement.classList;
		const now = list.contains("dark") || (dark && !list.contains("light"));
		list.toggle("dark", !now);
		list.toggle("light", now);
	}

	// --- mouse and keys ---

	function cellOf(target) {
		const g = target.closest ? target.closest(".cell") : null;
		return g ? +g.getAttribute("data-i") : -1;
	}
	svg.addEventListener("click", e => {
		const i = cellOf(e.target);
		if (i !== -1)
			zoomTo(i);
	});
	let seen = ""; // a mouse that rests while cells change below it is not meant
	svg.addEventListener("mousemove", e => {
		const i = cellOf(e.target), place = e.clientX + "," + e.clientY;
		if (i !== -1 && place !== seen)
			tell(cells[i]);
		seen = place;
	});
	function child(i) { // the widest
		let best = i;
		cells.forEach((c, k) => {
			if (c.parent === i && k !== i && (best === i || c.ns > cells[best].ns))
				best = k;
		});
		return best;
	}
	function beside(i, step) {
		const row = cells[i].row;
		for (let k = i + step; cells[k]; k += step)
			if (cells[k].row === row)
				return k;
		return i;
	}
	const moves = {
		ArrowUp: i => Math.max(0, cells[i].parent),
		ArrowDown: child,
		ArrowLeft: i => beside(i, -1),
		ArrowRight: i => beside(i, 1),
		Home: () => 0,
	};
	function inView(i) {
		const c = cells[i], view = cells[zoom];
		return c.x < view.x + view.ns && c.x + c.ns > view.x;
	}
	function key(e) {
		if (e.ctrlKey || e.metaKey || e.altKey)
			return false;
		if (e.key === "Escape") {
			input.value = "";
			search();
			zoomTo(0);
			svg.focus();
		} else if (e.target === input || e.target.tagName === "button" || e.target.tagName === "BUTTON") {
			return false;
		} else if (e.key === "/") {
			input.focus();
		} else if (e.key === "s") {
			regroup();
		} else if (e.key === "t") {
			repaint();
		} else if (e.key === "Enter") {
			zoomTo(focus);
		} else if (moves[e.key]) {
			svg.focus({ preventScroll: true });
			focus = moves[e.key](focus);
			if (!inView(focus)) {
				zoom = 0;
				draw();
			}
			mark();
			tell(cells[focus]);
		} else {
			return false;
		}
		return true;
	}
	document.addEventListener("keydown", e => {
		if (key(e))
			e.preventDefault();
	});
	input.addEventListener("input", search);
	reset.addEventListener("click", () => zoomTo(0));
	group.addEventListener("click", regroup);
	theme.addEventListener("click", repaint);
	svg.addEventListener("focus", mark);
	svg.addEventListener("blur", mark);
	window.addEventListener("resize", draw);

	document.getElementById("still").remove();
	svg.removeAttribute("viewBox");
	svg.setAttribute("tabindex", "0");
	layout();
	draw();
	document.documentElement.setAttribute("data-ready", "1");
}());
