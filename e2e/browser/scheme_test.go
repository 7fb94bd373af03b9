package browser

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// contrastJS lists the texts of a page whose contrast with their background is below 4.5 to 1, the
// minimum of the Web Content Accessibility Guidelines (AA). The first two %s are the selector and
// the background, the third is the property of a text's color.
const contrastJS = `(() => {
	const canvas = document.createElementNS("http://www.w3.org/1999/xhtml", "canvas").getContext("2d", { willReadFrequently: true });
	const luminance = (color) => {
		canvas.fillStyle = color;
		canvas.fillRect(0, 0, 1, 1);
		const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const behind = (e) => {
		for (; e && e.nodeType === 1; e = e.parentNode) {
			const color = getComputedStyle(e).backgroundColor;
			if (color !== "rgba(0, 0, 0, 0)") return color;
		}
		return null;
	};
	const found = { seen: 0, low: [] };
	for (const e of document.querySelectorAll(%q)) {
		const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
		if (!own || !e.getClientRects().length) continue;
		const background = %s, color = getComputedStyle(e)[%q];
		const [a, b] = [luminance(color), luminance(background)];
		const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		found.seen++;
		if (ratio < 4.5) found.low.push(e.textContent.trim().slice(0, 40) + ": " + color + " on " + background + ", " + ratio.toFixed(2));
	}
	return found;
})()`

// wantContrast fails the test if a text has too little contrast.
func wantContrast(p *tab, selector, background, property string) {
	p.Helper()
	found := eval[struct {
		Seen int
		Low  []string
	}](p, fmt.Sprintf(contrastJS, selector, background, property))
	if found.Seen == 0 || len(found.Low) > 0 {
		p.Errorf("of %d texts, these have too little contrast:\n%s", found.Seen, strings.Join(found.Low, "\n"))
	}
}

func TestColorSchemes(t *testing.T) {
	p := open(t, pageOf(t, parsed(t, tangled())))
	p.click("tr.span:nth-child(1)")
	paper := map[string]string{}
	for _, scheme := range []string{"light", "dark"} {
		p.scheme(scheme)
		paper[scheme] = eval[string](p, `getComputedStyle(document.body).backgroundColor`)
		wantContrast(p, "body *", "behind(e)", "color")
		// A bar must contrast with the background. The minimum for graphics is 3 to 1.
		low := eval[[]string](p, strings.NewReplacer("< 4.5", "< 3", "return found;", "return found.low;", "!own || ", "").
			Replace(fmt.Sprintf(contrastJS, ".lane .bar", "behind(e.parentNode)", "backgroundColor")))
		if len(low) > 0 {
			t.Errorf("%s: bars with too little contrast: %q", scheme, low)
		}
	}
	if paper["light"] != "rgb(255, 255, 255)" || paper["dark"] == paper["light"] {
		t.Errorf("backgrounds = %v", paper)
	}
	p.wantQuiet("file://")
}

// jsonText returns a text as JSON.
func jsonText(text string) string {
	data, err := json.Marshal(text)
	if err != nil {
		panic(err) // It never fails for a string.
	}
	return string(data)
}
