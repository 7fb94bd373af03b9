package view

import (
	"encoding/xml"
	"math"
	"strconv"
)

// element is an XML element. The encoder escapes its texts and attributes.
type element struct {
	XMLName  xml.Name
	Attrs    []xml.Attr `xml:",any,attr"`
	Text     string     `xml:",chardata"`
	Children []*element
}

// el creates an element. The attributes are alternating names and values.
func el(name string, attributes ...string) *element {
	e := &element{XMLName: xml.Name{Local: name}}
	return e.with(attributes...)
}

func textEl(name, text string, attributes ...string) *element {
	e := el(name, attributes...)
	e.Text = text
	return e
}

func (e *element) with(attributes ...string) *element {
	for i := 0; i+1 < len(attributes); i += 2 {
		e.Attrs = append(e.Attrs, xml.Attr{Name: xml.Name{Local: attributes[i]}, Value: attributes[i+1]})
	}
	return e
}

func (e *element) add(children ...*element) { e.Children = append(e.Children, children...) }

// number formats a value with one decimal place, which is precise enough for pixels.
func number(value float64) string { return strconv.FormatFloat(math.Round(value*10)/10, 'f', -1, 64) }
