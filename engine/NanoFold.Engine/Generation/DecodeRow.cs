namespace NanoFold.Engine.Generation;

/// <summary>One row of a <see cref="Decoder"/>: its tokens from position 0, and how many the model has read.</summary>
internal sealed class DecodeRow(int context)
{
    private readonly int[] _tokens = new int[context];
    private int _length;
    private int _read;

    /// <summary>Tokens not read yet.</summary>
    public int Pending => _length - _read;

    public bool IsRead => _length > 0 && Pending == 0;

    /// <summary>Tokens that the last run read.</summary>
    public int Count { get; private set; }

    public bool Fits(int chunk) => _read + chunk <= context;

    public int Begin(ReadOnlySpan<int> tokens)
    {
        int dropped = Math.Max(0, tokens.Length - context);
        tokens[dropped..].CopyTo(_tokens);
        _length = tokens.Length - dropped;
        _read = 0;
        Count = 0;
        return dropped;
    }

    public void Append(int token)
    {
        if (_length == context)
        {
            // Keeps half, the new token included; what is cached has other positions and is of no use.
            int kept = Math.Max(1, context / 2);
            _tokens.AsSpan(context - kept + 1).CopyTo(_tokens);
            _length = kept - 1;
            _read = 0;
        }

        _tokens[_length++] = token;
        Count = 0;
    }

    /// <summary>Lays up to <paramref name="chunk"/> tokens out as row <paramref name="row"/> of the inputs; returns how many.</summary>
    public int Take(int chunk, DecodeInputs inputs, int row)
    {
        Count = Fits(chunk) ? Math.Min(Pending, chunk) : 0;
        inputs.Set(row, chunk, _tokens.AsSpan(_read, Count), _read);
        _read += Count;
        return Count;
    }
}
