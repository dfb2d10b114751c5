package browsertest

import "fmt"

// Axe holds the page to the rules of axe-core for WCAG 2.1 A and AA and its
// own best practices, and returns what breaks them, one line for each place.
func (p *Page) Axe() []string {
	p.t.Helper()
	var there bool
	if p.Eval(`typeof axe === "object"`, &there); !there {
		p.Eval(Script(p.t, "axe/node_modules/axe-core/axe.min.js")+"; true", nil)
	}
	var found []struct {
		ID    string `json:"id"`
		Help  string `json:"help"`
		Nodes []struct {
			Target  []any  `json:"target"`
			Summary string `json:"failureSummary"`
		} `json:"nodes"`
	}
	p.Eval(`axe.run(document, {resultTypes: ["violations"]}).then(r => r.violations)`, &found)
	var list []string
	for _, v := range found {
		for _, n := range v.Nodes {
			list = append(list, fmt.Sprintf("%s (%s) at %v: %s", v.ID, v.Help, n.Target, n.Summary))
		}
	}
	return list
}

// Clipped lists the text that does not show whole: cut off by an element that
// hides what overflows it, or outside of the window.
func (p *Page) Clipped() []string {
	p.t.Helper()
	var list []string
	p.Eval(clipped, &list)
	return list
}

// clipped walks every text that is rendered and compares its boxes with those
// of everything around it.
const clipped = `(() => {
	const out = [], slack = 1;
	const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
	for (let n = walk.nextNode(); n; n = walk.nextNode()) {
		if (!n.textContent.trim() || !n.parentElement.checkVisibility({visibilityProperty: true, opacityProperty: true})) continue;
		if (n.parentElement.closest(".unseen")) continue; // for readers that speak
		const range = document.createRange();
		range.selectNodeContents(n);
		for (const box of range.getClientRects()) {
			if (box.left < -slack || box.top < -slack || box.right > innerWidth + slack || box.bottom > innerHeight + slack)
				out.push("outside of the window: " + n.textContent.trim());
			for (let e = n.parentElement; e && e !== document.body; e = e.parentElement) {
				const style = getComputedStyle(e), r = e.getBoundingClientRect();
				const cutX = style.overflowX !== "visible" && (box.left < r.left - slack || box.right > r.right + slack);
				const cutY = style.overflowY !== "visible" && (box.top < r.top - slack || box.bottom > r.bottom + slack);
				if (cutX || cutY) out.push("cut by " + e.tagName + "." + e.className + ": " + n.textContent.trim());
				if (e.scrollWidth > e.clientWidth + slack && style.display !== "inline" && e.clientWidth > 0)
					out.push("wider than " + e.tagName + "." + e.className + ": " + n.textContent.trim());
			}
		}
	}
	return [...new Set(out)];
})()`
