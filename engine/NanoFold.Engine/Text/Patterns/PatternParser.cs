using System.Globalization;

namespace NanoFold.Engine.Text;

/// <summary>
/// Reads a regular expression as tokenizers write them: alternatives, repetitions (also lazy, and possessive ones of one character), classes with
/// nesting and intersections, Unicode's categories and scripts, ends of lines and words, and looking one character ahead or behind. What it does
/// not know it refuses by name.
/// </summary>
internal sealed class PatternParser(string pattern, PatternDialect dialect)
{
    private const int MostRepeats = 1000;
    private const int DeepestGroup = 100;
    private readonly PatternClassParser _classes = new(pattern, dialect);
    private int _at;
    private int _depth;
    private bool _ignoreCase;
    private bool _dotAll;

    /// <exception cref="UserException">It is not a regular expression, or has what is not supported.</exception>
    public static PatternNode Parse(string pattern, PatternDialect dialect)
    {
        var parser = new PatternParser(pattern, dialect);
        PatternNode node = parser.Choice();
        return parser._at == pattern.Length ? node : throw parser.Bad("has a ')' too many");
    }

    private PatternNode Choice()
    {
        if (++_depth > DeepestGroup)
        {
            throw Bad("has groups too deep in each other");
        }

        var options = new List<PatternNode> { Sequence() };
        while (Take('|'))
        {
            options.Add(Sequence());
        }

        _depth--;
        return options.Count == 1 ? options[0] : new ChoiceNode(options);
    }

    private SequenceNode Sequence()
    {
        var parts = new List<PatternNode>();
        while (_at < pattern.Length && pattern[_at] is not ('|' or ')'))
        {
            PatternNode? atom = Atom();
            if (atom is not null)
            {
                parts.Add(Repeated(atom));
            }
        }

        return new SequenceNode(parts);
    }

    private PatternNode Repeated(PatternNode atom)
    {
        while (_at < pattern.Length && Quantifier(out int least, out int most, out bool braces))
        {
            if (Take('?'))
            {
                atom = new RepeatNode(atom, least, most, Greedy: false);
            }
            else if (_at < pattern.Length && pattern[_at] == '+' && !(braces && dialect == PatternDialect.Oniguruma))
            {
                _at++;
                atom = Possessive(atom, least, most);
            }
            else
            {
                atom = new RepeatNode(atom, least, most, Greedy: true);
            }
        }

        return atom;
    }

    // What takes all it can and gives nothing back stops before a character that is not its own, or where it has enough.
    private ChoiceNode Possessive(PatternNode atom, int least, int most)
    {
        if (atom is not SetNode { Set: var set })
        {
            throw Bad("has a possessive repetition of more than one character, which is not supported");
        }

        var stop = new AheadNode(set.Not(), AtEnd: true);
        return most < 0
            ? new ChoiceNode([new SequenceNode([new RepeatNode(atom, least, -1, true), stop])])
            : new ChoiceNode([new RepeatNode(atom, most, most, true), .. most > least ? [new SequenceNode([new RepeatNode(atom, least, most - 1, true), stop])] : Array.Empty<PatternNode>()]);
    }

    private bool Quantifier(out int least, out int most, out bool braces)
    {
        (least, most, braces) = (0, -1, false);
        switch (pattern[_at])
        {
            case '*':
                break;
            case '+':
                least = 1;
                break;
            case '?':
                most = 1;
                break;
            case '{':
                braces = true;
                return Braces(out least, out most);
            default:
                return false;
        }

        _at++;
        return true;
    }

    // {n}, {n,}, {n,m}, {,m}; anything else is a brace.
    private bool Braces(out int least, out int most)
    {
        (least, most) = (0, -1);
        int end = pattern.IndexOf('}', _at);
        if (end < 0)
        {
            return false;
        }

        string[] bounds = pattern[(_at + 1)..end].Split(',');
        bool exact = bounds.Length == 1;
        if (bounds.Length > 2 || (exact && bounds[0].Length == 0) || bounds.All(bound => bound.Length == 0)
            || bounds.Any(bound => bound.Any(c => !char.IsAsciiDigit(c))))
        {
            return false;
        }

        _at = end + 1;
        least = bounds[0].Length == 0 ? 0 : Count(bounds[0]);
        most = exact ? least : bounds[1].Length == 0 ? -1 : Count(bounds[1]);
        return most < 0 || most >= least ? true : throw Bad("has a repetition that ends before it begins");
    }

    private int Count(string digits) =>
        int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count <= MostRepeats
            ? count
            : throw Bad($"repeats more than {MostRepeats} times");

    private PatternNode? Atom()
    {
        char c = pattern[_at];
        switch (c)
        {
            case '(':
                return Group();
            case '[':
                return new SetNode(Cased(_classes.Class(ref _at)));
            case '.':
                _at++;
                return new SetNode(_dotAll ? CodePointSet.All : CodePointSet.Of('\n').Not());
            case '^':
                _at++;
                return dialect == PatternDialect.Oniguruma ? new BehindNode(CodePointSet.Of('\n'), AtStart: true) : new BehindNode(CodePointSet.None, AtStart: true);
            case '$':
                _at++;
                return new AheadNode(dialect == PatternDialect.Oniguruma ? CodePointSet.Of('\n') : CodePointSet.None, AtEnd: true);
            case '\\':
                return Escape();
            case '*' or '+' or '?':
                throw Bad($"repeats nothing at place {_at}");
            default:
                return new SetNode(Cased(CodePointSet.Of(_classes.CodePoint(ref _at))));
        }
    }

    private PatternNode Escape()
    {
        if (_at + 1 < pattern.Length)
        {
            switch (pattern[_at + 1])
            {
                case 'b' or 'B':
                    return WordEnd(pattern[_at + 1] == 'b');
                case 'A' or 'G':
                    _at += 2;
                    return new BehindNode(CodePointSet.None, AtStart: true);
                case 'z' or 'Z':
                    _at += 2;
                    return new AheadNode(CodePointSet.None, AtEnd: true);
                case >= '1' and <= '9' or 'k' or 'g' or 'K' or 'X' or 'R':
                    throw Bad($"has '\\{pattern[_at + 1]}', which is not supported");
            }
        }

        return new SetNode(Cased(_classes.Escape(ref _at)));
    }

    private ChoiceNode WordEnd(bool end)
    {
        _at += 2;
        CodePointSet word = _classes.Word, other = word.Not();
        return new ChoiceNode(
        [
            new SequenceNode([new BehindNode(word, false), new AheadNode(end ? other : word, end)]),
            new SequenceNode([new BehindNode(other, true), new AheadNode(end ? word : other, !end)]),
        ]);
    }

    // A group, flags for a group or for the rest of one (null), or a look at a neighbor.
    private PatternNode? Group()
    {
        _at++;
        (bool ignoreCase, bool dotAll) = (_ignoreCase, _dotAll);
        if (Take('?'))
        {
            string kind = _at < pattern.Length ? pattern[_at..Math.Min(pattern.Length, _at + 2)] : "";
            switch (kind)
            {
                case [':', ..]:
                    _at++;
                    break;
                case ['=' or '!', ..]:
                    _at++;
                    return Look(ahead: true, negate: kind[0] == '!');
                case "<=" or "<!":
                    _at += 2;
                    return Look(ahead: false, negate: kind[1] == '!');
                case ['>', ..]:
                    throw Bad("has an atomic group (?>…), which is not supported");
                case ['<' or 'P' or '\'', ..]:
                    throw Bad("has a named group, which is not supported");
                default:
                    if (!Flags())
                    {
                        // They hold to the end of the group around.
                        return null;
                    }

                    break;
            }
        }

        PatternNode inner = Choice();
        Close();
        (_ignoreCase, _dotAll) = (ignoreCase, dotAll);
        return inner;
    }

    // True where a group follows the flags.
    private bool Flags()
    {
        bool on = true;
        for (; _at < pattern.Length; _at++)
        {
            switch (pattern[_at])
            {
                case '-':
                    on = false;
                    break;
                case 'i':
                    _ignoreCase = on;
                    break;
                case 's':
                    _dotAll = on;
                    break;
                case 'm' when dialect == PatternDialect.Oniguruma:
                    _dotAll = on;
                    break;
                case 'u':
                    break;
                case ':':
                    _at++;
                    return true;
                case ')':
                    _at++;
                    return false;
                default:
                    throw Bad($"has the flag '{pattern[_at]}', which is not supported");
            }
        }

        throw Bad("has a '(' too many");
    }

    private PatternNode Look(bool ahead, bool negate)
    {
        PatternNode inner = Choice();
        Close();
        (CodePointSet set, bool atEnd) = OneCharacter(inner, ahead);
        (set, atEnd) = negate ? (set.Not(), !atEnd) : (set, atEnd);
        return ahead ? new AheadNode(set, atEnd) : new BehindNode(set, atEnd);
    }

    // What a look accepts, as a set of neighbors.
    private (CodePointSet Set, bool AtEnd) OneCharacter(PatternNode node, bool ahead) => node switch
    {
        SetNode one => (one.Set, false),
        AheadNode end when ahead => (end.Set, end.AtEnd),
        BehindNode start when !ahead => (start.Set, start.AtStart),
        SequenceNode { Parts: [var only] } => OneCharacter(only, ahead),
        RepeatNode { Least: 1 } repeat => OneCharacter(repeat.Part, ahead),
        ChoiceNode choice => choice.Options.Select(option => OneCharacter(option, ahead)).Aggregate((a, b) => (a.Set.Or(b.Set), a.AtEnd || b.AtEnd)),
        _ => throw Bad($"looks more than one character {(ahead ? "ahead" : "behind")}, which is not supported"),
    };

    private CodePointSet Cased(CodePointSet set) => _ignoreCase ? CaseFolding.Close(set) : set;

    private void Close()
    {
        if (!Take(')'))
        {
            throw Bad("has a '(' too many");
        }
    }

    private bool Take(char c)
    {
        bool there = _at < pattern.Length && pattern[_at] == c;
        _at += there ? 1 : 0;
        return there;
    }

    private UserException Bad(string problem) => PatternClassParser.Bad(pattern, problem);
}
