// What the lane says is shown, nothing is decided. Whatever cannot be known is
// shown as "please wait, or see the officer": a stale picture never stays.
"use strict";
(() => {
	const $ = id => document.getElementById(id);
	const calm = matchMedia("(prefers-reduced-motion: reduce)");
	let setup = null, source = null, heard = 0, shown = "", hintTimer = 0, timeTimer = 0, mirroring = 0, looking = false;

	const language = id => setup.languages.find(l => l.id === id) || setup.languages[0];

	// speak sets the language of everything that stands on the page.
	function speak(l) {
		document.documentElement.lang = l.lang;
		$("languages").setAttribute("aria-label", l.choose);
		$("mirror").setAttribute("aria-label", l.mirror);
		const places = $("way").children;
		for (let i = 0; i < places.length; i++) places[i].lastElementChild.textContent = l.way[i];
		$("way").setAttribute("aria-label", l.way.join(" – "));
		for (const b of $("languages").children) b.setAttribute("aria-pressed", String(b.dataset.id === l.id));
	}

	// sentences keeps each sentence together where there is room for it.
	const sentences = text => text.split(/(?<=[.。។])\s*/).filter(Boolean).flatMap(s => {
		const span = document.createElement("span");
		span.textContent = s;
		return [span, " "];
	});

	function picture(step) {
		const name = step === "officer" ? "officer-" + setup.side : step;
		$("use").setAttribute("href", "#p-" + name);
	}

	function show(m) {
		speak(language(m.lang));
		document.body.dataset.tone = m.tone;
		document.body.dataset.step = m.step;
		$("title").textContent = m.title;
		$("body").replaceChildren(...sentences(m.body));
		document.title = m.title;
		picture(m.step);
		const places = $("way").children;
		$("way").classList.toggle("on", m.place > 0);
		for (let i = 0; i < places.length; i++) {
			places[i].className = i + 1 < m.place ? "past" : i + 1 === m.place ? "now" : "";
			if (i + 1 === m.place) places[i].setAttribute("aria-current", "step"); else places[i].removeAttribute("aria-current");
		}
		notices(m.notices || []);
		hint(m);
		time(m.left_ms || 0, m.total_ms || 0);
		mirror(m.mirror);
		if (m.step !== shown) cue(m.tone, m.step);
		shown = m.step;
		document.body.dataset.seq = m.seq;
	}

	// away is what is shown without a connection. It never looks like "go".
	function away() {
		if (!setup || shown === "away") return;
		const l = setup.languages.find(x => x.lang === document.documentElement.lang) || setup.languages[0];
		show({lang: l.id, tone: "calm", step: "away", title: l.away.title, body: l.away.body, place: 0, mirror: false, seq: 0});
	}

	function notices(list) {
		$("notices").replaceChildren(...list.map(text => {
			const li = document.createElement("li");
			li.textContent = text;
			return li;
		}));
		$("notices").hidden = list.length === 0;
	}

	function hint(m) {
		clearTimeout(hintTimer);
		const put = () => {
			$("hint").hidden = !m.hint;
			$("hint-text").textContent = m.hint || "";
			if (m.hint) $("hint-use").setAttribute("href", "#h-" + m.hint_picture);
		};
		if (m.hint_after_ms) {
			$("hint").hidden = true;
			hintTimer = setTimeout(put, m.hint_after_ms);
		} else put();
	}

	// time appears when half of it is gone; it has no number and does not blink.
	function time(left, total) {
		clearTimeout(timeTimer);
		const bar = $("left").style;
		$("time").hidden = !total;
		$("time").classList.remove("on");
		bar.transition = "none";
		if (!total) return;
		bar.transform = "scaleX(" + Math.min(1, left / total) + ")";
		void $("left").offsetWidth; // the width now is where it starts from
		bar.transition = "transform " + left + "ms " + (calm.matches ? "steps(5)" : "linear");
		bar.transform = "scaleX(0)";
		timeTimer = setTimeout(() => $("time").classList.add("on"), Math.max(0, left - total / 2));
	}

	// mirror draws the face camera, one picture after another, the next asked for
	// when the last is drawn. Until the first comes, the pictogram stays.
	function mirror(on) {
		if (!on) {
			mirroring++;
			looking = false;
			const g = $("glass");
			g.getContext("2d").clearRect(0, 0, g.width, g.height);
			$("mirror").hidden = true;
			$("plate").hidden = false;
			return;
		}
		if (looking) return;
		looking = true;
		const mine = ++mirroring;
		reflect(mine).catch(() => {}).finally(() => { if (mine === mirroring) looking = false; });
	}

	async function reflect(mine) {
		const glass = $("glass"), pen = glass.getContext("2d");
		for (let after = 0; mine === mirroring;) {
			const answer = await fetch("/mirror.jpg?after=" + after, {cache: "no-store"});
			if (mine !== mirroring || !answer.ok) return;
			if (answer.status === 204) {
				if (document.body.dataset.step !== "face") return;
				await new Promise(done => setTimeout(done, 100));
				continue;
			}
			after = answer.headers.get("Frame");
			const image = await createImageBitmap(await answer.blob());
			if (mine === mirroring) {
				// The middle of the picture, upright as the oval.
				const w = Math.min(image.width, image.height * glass.width / glass.height);
				const h = w * glass.height / glass.width;
				pen.drawImage(image, (image.width - w) / 2, (image.height - h) / 2, w, h, 0, 0, glass.width, glass.height);
				$("mirror").hidden = false;
				$("plate").hidden = true;
			}
			image.close();
		}
	}

	// Sounds: one short figure for each tone, none of them loud or repeated.
	let audio = null;
	const figures = {
		go: [[660, 0], [880, .14], [1100, .28]], officer: [[440, 0], [330, .2]], calm: [[520, 0]],
		free: [[880, 0], [660, .2], [880, .4], [660, .6]],
	};
	function cue(tone, step) {
		if (!setup.sound || !figures[tone] || step === "away" || step === "welcome" || step === "wait" || step === "checking" || step === "done") return;
		try {
			audio = audio || new AudioContext();
			if (audio.state === "suspended") audio.resume();
			for (const [pitch, at] of figures[tone]) {
				const from = audio.currentTime + at, tone1 = audio.createOscillator(), level = audio.createGain();
				tone1.frequency.value = pitch;
				level.gain.setValueAtTime(0, from);
				level.gain.linearRampToValueAtTime(.25, from + .02);
				level.gain.exponentialRampToValueAtTime(.001, from + .18);
				tone1.connect(level).connect(audio.destination);
				tone1.start(from);
				tone1.stop(from + .2);
			}
			document.body.dataset.cue = tone + " " + step;
		} catch { audio = null; } // a machine without sound shows all the same
	}

	function choose(id) {
		fetch("/language", {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify({lang: id})}).catch(() => {});
	}

	function buttons() {
		$("languages").replaceChildren(...setup.languages.map(l => {
			const b = document.createElement("button");
			b.type = "button";
			b.dataset.id = l.id;
			b.lang = l.lang;
			b.textContent = l.name;
			b.setAttribute("aria-pressed", "false");
			b.addEventListener("click", () => choose(l.id));
			return b;
		}));
		$("languages").hidden = setup.languages.length < 2;
	}

	function connect() {
		if (source) source.close();
		heard = performance.now();
		source = new EventSource("/events");
		source.addEventListener("show", e => { heard = performance.now(); show(JSON.parse(e.data)); });
		source.addEventListener("beat", () => { heard = performance.now(); });
		source.addEventListener("error", away);
	}

	// watch replaces a connection that is silent or has given up.
	function watch() {
		const silent = performance.now() - heard > setup.silence_ms;
		if (silent) away();
		if (silent || source.readyState === EventSource.CLOSED) connect();
	}

	async function begin() {
		try {
			const answer = await fetch("/setup.json", {cache: "no-store"});
			if (!answer.ok) throw new Error("no setup");
			setup = await answer.json();
		} catch {
			setTimeout(begin, 1000);
			return;
		}
		buttons();
		speak(setup.languages[0]);
		away();
		connect();
		setInterval(watch, 500);
	}
	begin();
})();
