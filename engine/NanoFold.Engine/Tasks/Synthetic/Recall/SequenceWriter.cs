namespace NanoFold.Engine.Tasks;

/// <summary>Writes a sequence into a row: each token as what is read at its place, and where wanted as the label of the place before. It has room for a token more than the row.</summary>
internal ref struct SequenceWriter(in BatchRow row)
{
    private readonly Span<int> _tokens = row.Integers(BatchField.Tokens);
    private readonly Span<int> _targets = row.Integers(BatchField.Targets);
    private readonly Span<int> _groups = row.Integers(BatchField.Groups);

    /// <summary>Tokens for which there is room.</summary>
    public readonly int Length => _tokens.Length + 1;

    /// <summary>Tokens that were written.</summary>
    public int Written { get; private set; }

    /// <summary>Labels that were written.</summary>
    public int Targets { get; private set; }

    /// <summary>Writes the next token.</summary>
    /// <param name="token">What.</param>
    /// <param name="isLabel">Whether the place before is asked for it; the first token has none.</param>
    /// <param name="group">Of the label, see <see cref="BatchField.Groups"/>.</param>
    public void Write(int token, bool isLabel, int group = -1)
    {
        if (Written < _tokens.Length)
        {
            _tokens[Written] = token;
        }

        if (isLabel && Written > 0)
        {
            _targets[Written - 1] = token;
            Targets++;
            if (!_groups.IsEmpty)
            {
                _groups[Written - 1] = group;
            }
        }

        Written++;
    }
}
