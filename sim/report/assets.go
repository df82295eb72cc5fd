package report

import (
	"embed"
	"html/template"
	"strings"
)

//go:embed page
var files embed.FS

var (
	skeleton = template.Must(template.New("report").Parse(asset("report.html")))
	style    = asset("report.css")

	// script is one text, since a page that is opened as a file may not load modules. Each
	// part uses only what stands before it, and functions of the others.
	script = "(() => {\n" + strings.Join([]string{
		asset("data.js"), asset("view.js"), asset("paint.js"), asset("density.js"), asset("lanes.js"), asset("arrows.js"),
		asset("jobs.js"), asset("minimap.js"), asset("find.js"), asset("panel.js"), asset("input.js"), asset("report.js"),
	}, "\n") + "})();"
)

// asset is a file of the page. All of them are part of the binary.
func asset(name string) string {
	text, err := files.ReadFile("page/" + name)
	if err != nil {
		panic("report: " + err.Error())
	}
	return string(text)
}
