namespace NanoFold.Engine.Text;

/// <summary>What one step of a <see cref="PatternProgram"/> does.</summary>
internal enum PatternOp : byte
{
    /// <summary>Takes a character of set A.</summary>
    Take,

    /// <summary>Goes on at A, or else at B.</summary>
    Split,

    /// <summary>Goes on at A.</summary>
    Jump,

    /// <summary>Goes on where the next character is of set A (B: at the end too).</summary>
    Ahead,

    /// <summary>Goes on where the character before is of set A (B: at the start too).</summary>
    Behind,

    /// <summary>The expression has been found.</summary>
    Found,
}

/// <summary>A regular expression as steps of a nondeterministic automaton, in which the first of two ways is preferred (Thompson 1968).</summary>
internal sealed class PatternProgram
{
    private const int MostSteps = 20_000;
    private readonly List<(PatternOp Op, int A, int B)> _steps = [];
    private readonly List<CodePointSet> _sets = [];
    private readonly string _pattern;

    public PatternProgram(PatternNode node, string pattern)
    {
        _pattern = pattern;
        Write(node);
        Add(PatternOp.Found, 0, 0);
    }

    public IReadOnlyList<(PatternOp Op, int A, int B)> Steps => _steps;

    public IReadOnlyList<CodePointSet> Sets => _sets;

    public bool LooksBehind => _steps.Exists(step => step.Op == PatternOp.Behind);

    private void Write(PatternNode node)
    {
        switch (node)
        {
            case SetNode one:
                Add(PatternOp.Take, SetOf(one.Set), 0);
                break;
            case SequenceNode sequence:
                foreach (PatternNode part in sequence.Parts)
                {
                    Write(part);
                }

                break;
            case ChoiceNode choice:
                WriteChoice(choice.Options);
                break;
            case RepeatNode repeat:
                WriteRepeat(repeat);
                break;
            case AheadNode ahead:
                Add(PatternOp.Ahead, SetOf(ahead.Set), ahead.AtEnd ? 1 : 0);
                break;
            case BehindNode behind:
                Add(PatternOp.Behind, SetOf(behind.Set), behind.AtStart ? 1 : 0);
                break;
            default:
                throw new InvalidOperationException(node.ToString());
        }
    }

    private void WriteChoice(IReadOnlyList<PatternNode> options)
    {
        var ends = new List<int>();
        for (int i = 0; i < options.Count - 1; i++)
        {
            int split = Add(PatternOp.Split, _steps.Count + 1, 0);
            Write(options[i]);
            ends.Add(Add(PatternOp.Jump, 0, 0));
            _steps[split] = (PatternOp.Split, split + 1, _steps.Count);
        }

        Write(options[^1]);
        ends.ForEach(end => _steps[end] = (PatternOp.Jump, _steps.Count, 0));
    }

    private void WriteRepeat(RepeatNode repeat)
    {
        for (int i = 0; i < repeat.Least; i++)
        {
            Write(repeat.Part);
        }

        var splits = new List<int>();
        for (int i = repeat.Least; i < repeat.Most; i++)
        {
            splits.Add(Add(PatternOp.Split, 0, 0));
            Write(repeat.Part);
        }

        if (repeat.Most < 0)
        {
            int loop = Add(PatternOp.Split, 0, 0);
            splits.Add(loop);
            Write(repeat.Part);
            Add(PatternOp.Jump, loop, 0);
        }

        foreach (int split in splits)
        {
            _steps[split] = repeat.Greedy ? (PatternOp.Split, split + 1, _steps.Count) : (PatternOp.Split, _steps.Count, split + 1);
        }
    }

    private int SetOf(CodePointSet set)
    {
        int known = _sets.FindIndex(other => other.Ranges.SequenceEqual(set.Ranges));
        if (known >= 0)
        {
            return known;
        }

        _sets.Add(set);
        return _sets.Count - 1;
    }

    private int Add(PatternOp op, int a, int b)
    {
        if (_steps.Count == MostSteps)
        {
            throw PatternClassParser.Bad(_pattern, $"needs more than {MostSteps} steps");
        }

        _steps.Add((op, a, b));
        return _steps.Count - 1;
    }
}
