using System.Text;
using System.Xml;

namespace NanoFold.Engine.Data;

/// <summary>
/// Makes plain prose of XML reference documentation: per type its full name and what is said of it, then of each
/// member a heading and its summary, parameters, return value and remarks. References become short readable names,
/// other markup goes, white space is one space, and a line that has been said before (of an overload, of another type)
/// is not said again.
/// </summary>
internal sealed class XmlProse
{
    private readonly Dictionary<string, StringBuilder> _types = [];
    private readonly HashSet<string> _said = [];
    private readonly StringBuilder _line = new();

    /// <summary>Types about which something is said, with the text.</summary>
    public IEnumerable<(string Name, string Text)> Types =>
        _types.Select(type => (MemberNames.Full(type.Key), type.Value.ToString()));

    /// <summary>Adds a documentation file. What is not well-formed in it is left out from there on.</summary>
    public void Add(string path)
    {
        var settings = new XmlReaderSettings
        {
            DtdProcessing = DtdProcessing.Ignore,
            XmlResolver = null,
            IgnoreComments = true,
            IgnoreProcessingInstructions = true,
        };
        try
        {
            using var reader = XmlReader.Create(path, settings);
            while (reader.ReadToFollowing("member"))
            {
                if (reader.GetAttribute("name") is { Length: > 2 } name && !reader.IsEmptyElement)
                {
                    ReadMember(reader, name);
                }
            }
        }
        catch (XmlException)
        {
            // Part of a file is better than no corpus.
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidDataException($"{path}: cannot be read: {e.Message}", e);
        }
    }

    private void ReadMember(XmlReader reader, string name)
    {
        var lines = new List<string>();
        int depth = reader.Depth;
        while (reader.Read() && reader.Depth > depth)
        {
            if (reader.NodeType == XmlNodeType.Element && reader.Depth == depth + 1)
            {
                ReadSection(reader, lines);
            }
        }

        lines.RemoveAll(line => !_said.Add(line));
        if (lines.Count == 0)
        {
            return;
        }

        bool isType = name[0] == 'T';
        string type = isType ? name[2..] : MemberNames.TypeOf(name);
        if (!_types.TryGetValue(type, out StringBuilder? text))
        {
            _types.Add(type, text = new StringBuilder().Append(MemberNames.Full(type)).Append('\n'));
        }

        if (!isType)
        {
            text.Append('\n').Append(MemberNames.Heading(name)).Append('\n');
        }

        foreach (string line in lines)
        {
            text.Append(line).Append('\n');
        }
    }

    // A section such as <summary>: one line for each of its paragraphs. The reader is left at the section's end.
    private void ReadSection(XmlReader reader, List<string> lines)
    {
        string start = reader.Name switch
        {
            "param" or "typeparam" => reader.GetAttribute("name") + ": ",
            "returns" => "Returns: ",
            "value" => "Value: ",
            "exception" => "Throws " + MemberNames.Short(reader.GetAttribute("cref") ?? "") + ": ",
            _ => "",
        };
        _line.Clear().Append(start);
        if (reader.IsEmptyElement)
        {
            return;
        }

        int depth = reader.Depth;
        while (reader.Read() && reader.Depth > depth)
        {
            switch (reader.NodeType)
            {
                case XmlNodeType.Text or XmlNodeType.CDATA or XmlNodeType.Whitespace or XmlNodeType.SignificantWhitespace:
                    AppendText(reader.Value);
                    break;
                case XmlNodeType.Element when reader.Name is "para" or "p" or "item" or "br" or "li" or "code" or "listheader":
                    EndLine(lines, start);
                    break;
                case XmlNodeType.Element:
                    AppendText(Inline(reader));
                    break;
                case XmlNodeType.EndElement when reader.Name is "para" or "p" or "item" or "li" or "code":
                    EndLine(lines, start);
                    break;
                case XmlNodeType.EndElement when reader.Name is "term" or "description":
                    AppendText(" ");
                    break;
            }
        }

        EndLine(lines, start);
    }

    // What an element without text of its own stands for.
    private static string Inline(XmlReader reader)
    {
        if (reader.Name is "paramref" or "typeparamref")
        {
            return reader.GetAttribute("name") ?? "";
        }

        if (reader.Name is not ("see" or "seealso" or "xref") || !reader.IsEmptyElement)
        {
            return "";
        }

        return reader.GetAttribute("langword")
            ?? (reader.GetAttribute("cref") is { } cref ? MemberNames.Short(cref) : null)
            ?? reader.GetAttribute("href")
            ?? "";
    }

    private void AppendText(string text)
    {
        foreach (char c in text)
        {
            if (!char.IsWhiteSpace(c))
            {
                _line.Append(c);
            }
            else if (_line.Length > 0 && _line[^1] != ' ')
            {
                _line.Append(' ');
            }
        }
    }

    private void EndLine(List<string> lines, string start)
    {
        string line = _line.ToString().Trim();
        if (line.Length > start.Trim().Length)
        {
            lines.Add(line);
            start = "";
        }

        _line.Clear().Append(lines.Count > 0 && start.Length == 0 ? "" : start);
    }
}
