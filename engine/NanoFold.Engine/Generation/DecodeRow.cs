namespace NanoFold.Engine.Generation;

/// <summary>
/// One row of a <see cref="Decoder"/>: its last tokens, and how many the model has read. Where the context is full, a model whose state serves any
/// length goes on (<paramref name="slidesOn"/>); for others the row begins again with its last half, or with its first tokens, where they are to be
/// kept, and the last half of the others.
/// </summary>
internal sealed class DecodeRow(int context, bool slidesOn)
{
    private readonly int[] _tokens = new int[context];
    private int _first;
    private int _length;
    private int _read;
    private int _keep;

    /// <summary>Tokens not read yet.</summary>
    public int Pending => _length - _read;

    /// <summary>It has no text.</summary>
    public bool IsIdle => _length == 0;

    /// <summary>Tokens of its text that were read: the place of the next one.</summary>
    public int Position => _first + _read;

    public bool IsRead => _length > 0 && Pending == 0;

    /// <summary>Tokens that the last run read.</summary>
    public int Count { get; private set; }

    /// <summary>The next token is the row's first: what the model remembers is of another text.</summary>
    public bool IsAtBegin => Position == 0;

    /// <summary>
    /// Index of the size of the row's next run, −1 where it has nothing to read: the largest of which its tokens fill at least half. A run never reaches beyond the
    /// context, not even with the places that only pad it, unless the model slides on.
    /// </summary>
    /// <param name="sizes">Of runs, upwards from 1.</param>
    public int ChooseSize(ReadOnlySpan<int> sizes)
    {
        if (Pending == 0)
        {
            return -1;
        }

        int size = sizes.Length - 1;
        while (size > 0 && (2 * Pending < sizes[size] || !Fits(sizes[size])))
        {
            size--;
        }

        return size;
    }

    public bool Fits(int chunk) => slidesOn || _read + chunk <= context;

    public int Begin(ReadOnlySpan<int> tokens, int keep)
    {
        int dropped = Math.Max(0, tokens.Length - context);
        _keep = Math.Min(keep, context - 1);
        int kept = dropped == 0 ? 0 : _keep;
        tokens[..kept].CopyTo(_tokens);
        tokens[(kept + dropped)..].CopyTo(_tokens.AsSpan(kept));
        _length = tokens.Length - dropped;
        _first = 0;
        _read = 0;
        Count = 0;
        return dropped;
    }

    public void Append(int token)
    {
        if (_length == context)
        {
            if (slidesOn && _read > 0 && _first <= int.MaxValue - 2 * context)
            {
                Drop(_read);
            }
            else
            {
                // Keeps half, the new token included; what is cached has other positions and is of no use.
                int last = Math.Max(1, (context - _keep) / 2) - 1;
                _tokens.AsSpan(_length - last, last).CopyTo(_tokens.AsSpan(_keep));
                _length = _keep + last;
                _first = 0;
                _read = 0;
            }
        }

        _tokens[_length++] = token;
        Count = 0;
    }

    /// <summary>Lays up to <paramref name="chunk"/> tokens out as row <paramref name="row"/> of the inputs; returns how many.</summary>
    public int Take(int chunk, DecodeInputs inputs, int row)
    {
        Count = Fits(chunk) ? Math.Min(Pending, chunk) : 0;
        inputs.Set(row, chunk, _tokens.AsSpan(_read, Count), Position, _first + _length);
        _read += Count;
        return Count;
    }

    /// <summary>Lays row <paramref name="row"/> of the inputs out as one that brings nothing to a run of others.</summary>
    public static void Idle(int chunk, DecodeInputs inputs, int row) => inputs.Set(row, chunk, [], 0, 0);

    private void Drop(int count)
    {
        _tokens.AsSpan(count, _length - count).CopyTo(_tokens);
        _first += count;
        _length -= count;
        _read -= count;
    }
}
