using System.Text;
using System.Xml;

namespace NanoFold.Engine.Corpora;

/// <summary>
/// Makes plain prose of XML reference documentation: per type its full name and what is said of it, then of each
/// member a heading and its summary, parameters, return value and remarks (not exceptions and examples). References become short readable names,
/// other markup goes, white space is one space, and a line that has been said before (of an overload, of another type)
/// is not said again.
/// </summary>
internal sealed class XmlProse
{
    private readonly Dictionary<string, StringBuilder> _types = [];
    private readonly HashSet<string> _said = [];
    private readonly HashSet<string>.AlternateLookup<ReadOnlySpan<char>> _saidSpans;
    private readonly Dictionary<string, string> _short = [];
    private char[] _line = new char[1 << 12];
    private int _length;

    /// <summary>Starts with nothing said.</summary>
    public XmlProse()
    {
        _saidSpans = _said.GetAlternateLookup<ReadOnlySpan<char>>();
    }

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
            throw new UserException($"{path}: cannot be read: {e.Message}", e);
        }
    }

    private void ReadMember(XmlReader reader, string name)
    {
        StringBuilder? text = null;
        int depth = reader.Depth;
        reader.Read();
        while (reader.Depth > depth)
        {
            if (reader.NodeType == XmlNodeType.Element && reader.Name is "exception" or "example" or "seealso")
            {
                // Moves past the section, to what must be looked at next.
                reader.Skip();
                continue;
            }

            if (reader.NodeType == XmlNodeType.Element)
            {
                ReadSection(reader, name, ref text);
            }

            reader.Read();
        }
    }

    // The text of the member's type, with the member's heading at its end.
    private StringBuilder Begin(string name)
    {
        bool isType = name[0] == 'T';
        string type = isType ? name[2..] : MemberNames.TypeOf(name);
        if (!_types.TryGetValue(type, out StringBuilder? text))
        {
            _types.Add(type, text = new StringBuilder().Append(MemberNames.Full(type)).Append('\n'));
        }

        return isType ? text : text.Append('\n').Append(MemberNames.Heading(name)).Append('\n');
    }

    // A section such as <summary>: a line for each of its paragraphs. The reader is left at the section's end.
    private void ReadSection(XmlReader reader, string name, ref StringBuilder? text)
    {
        _length = 0;
        AppendText(reader.Name switch
        {
            "param" or "typeparam" => reader.GetAttribute("name") + ": ",
            "returns" => "Returns: ",
            "value" => "Value: ",
            _ => "",
        });
        int empty = _length;
        int depth = reader.Depth;
        if (reader.IsEmptyElement)
        {
            return;
        }

        while (reader.Read() && reader.Depth > depth)
        {
            switch (reader.NodeType)
            {
                case XmlNodeType.Text or XmlNodeType.CDATA or XmlNodeType.Whitespace or XmlNodeType.SignificantWhitespace:
                    AppendText(reader.Value);
                    break;
                case XmlNodeType.Element or XmlNodeType.EndElement when reader.Name is "para" or "p" or "item" or "li" or "br" or "code":
                    EndLine(name, ref empty, ref text);
                    break;
                case XmlNodeType.Element:
                    AppendText(Inline(reader));
                    break;
                case XmlNodeType.EndElement when reader.Name is "term" or "description":
                    AppendText(" ");
                    break;
            }
        }

        EndLine(name, ref empty, ref text);
    }

    // What an element without text of its own stands for.
    private string Inline(XmlReader reader)
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
            ?? (reader.GetAttribute("cref") is { } cref ? ShortName(cref) : null)
            ?? reader.GetAttribute("href")
            ?? "";
    }

    private string ShortName(string cref)
    {
        if (!_short.TryGetValue(cref, out string? name))
        {
            _short.Add(cref, name = MemberNames.Short(cref));
        }

        return name;
    }

    private void AppendText(string text)
    {
        if (_line.Length - _length < text.Length)
        {
            Array.Resize(ref _line, Math.Max(_line.Length * 2, _length + text.Length));
        }

        foreach (char c in text)
        {
            if (!char.IsWhiteSpace(c))
            {
                _line[_length++] = c;
            }
            else if (_length > 0 && _line[_length - 1] != ' ')
            {
                _line[_length++] = ' ';
            }
        }
    }

    // Says the line, unless it is empty (but for the first `empty` characters) or has been said.
    private void EndLine(string name, ref int empty, ref StringBuilder? text)
    {
        ReadOnlySpan<char> line = _line.AsSpan(0, _length).TrimEnd();
        if (line.Length > empty)
        {
            if (_saidSpans.Add(line))
            {
                text ??= Begin(name);
                text.Append(line).Append('\n');
            }

            // Only a section's first line begins with its name.
            empty = 0;
        }

        _length = empty;
    }
}
