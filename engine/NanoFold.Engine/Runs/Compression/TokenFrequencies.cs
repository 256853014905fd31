namespace NanoFold.Engine.Runs.Compression;

/// <summary>
/// The probabilities of the next token as whole numbers: f = 1 + ⌊2³⁰ · exp(l − max l)⌋ for every token that stands for bytes, 0 for the others. The exponential is two products of
/// integers from tables that integer square roots make, so that equal logits give equal numbers on any machine. The 1 lets every token be coded, at 2⁻³⁰ of the likeliest one; what it takes
/// from the others is V · 2⁻³⁰ at most.
/// </summary>
internal sealed class TokenFrequencies
{
    private const int TableBits = 8, Block = 256, Root = 62, Half = 31;

    // Whole steps of 2⁻¹⁶ of a halving, in nats.
    private const float StepsPerNat = 94548.2f;

    // Below this nothing but the 1 is left.
    private const float Most = 31 << (2 * TableBits);

    private static readonly ulong[] s_coarse = Powers(1), s_fine = Powers(1 + TableBits);

    private readonly uint[] _frequencies;
    private readonly uint[] _mask;
    private readonly ulong[] _sums;
    private readonly int _coded;
    private float _most;

    /// <param name="byteLengths">Bytes that each token stands for, [V].</param>
    public TokenFrequencies(ReadOnlySpan<int> byteLengths)
    {
        _frequencies = new uint[byteLengths.Length];
        _mask = new uint[byteLengths.Length];
        _sums = new ulong[(byteLengths.Length + Block - 1) / Block];
        for (int i = 0; i < byteLengths.Length; i++)
        {
            _mask[i] = byteLengths[i] > 0 ? uint.MaxValue : 0;
            _coded += byteLengths[i] > 0 ? 1 : 0;
        }
    }

    /// <summary>The sum of all, at most 2⁴⁸ for vocabularies of up to 2¹⁸.</summary>
    public ulong Total { get; private set; }

    public ulong this[int token] => _frequencies[token];

    /// <summary>Takes the logits of a place.</summary>
    /// <param name="logits">[V].</param>
    /// <exception cref="UserException">One is not a number, or none is finite.</exception>
    public void Set(ReadOnlySpan<float> logits)
    {
        float most = _most = Largest(logits);
        Total = 0;
        for (int block = 0; block < _sums.Length; block++)
        {
            ulong sum = 0;
            int end = Math.Min(logits.Length, (block + 1) * Block);
            for (int i = block * Block; i < end; i++)
            {
                uint frequency = (Weight(most - logits[i]) + 1) & _mask[i];
                _frequencies[i] = frequency;
                sum += frequency;
            }

            _sums[block] = sum;
            Total += sum;
        }
    }

    /// <summary>The sum of those before a token.</summary>
    public ulong Start(int token)
    {
        ulong start = 0;
        int block = token / Block;
        for (int i = 0; i < block; i++)
        {
            start += _sums[i];
        }

        for (int i = block * Block; i < token; i++)
        {
            start += _frequencies[i];
        }

        return start;
    }

    /// <summary>The token that has a place among the <see cref="Total"/>, and the sum of those before it.</summary>
    public int Find(ulong place, out ulong start)
    {
        start = 0;
        int block = 0;
        while (start + _sums[block] <= place)
        {
            start += _sums[block++];
        }

        int token = block * Block;
        while (start + _frequencies[token] <= place)
        {
            start += _frequencies[token++];
        }

        return token;
    }

    /// <summary>−log₂ of a token's probability before it was made a whole number, among tokens that stand for bytes.</summary>
    public double Bits(int token, ReadOnlySpan<float> logits) => (((double)_most - logits[token]) / Math.Log(2)) + Math.Log2((Total - (ulong)_coded) * (1.0 / (1 << 30)));

    private float Largest(ReadOnlySpan<float> logits)
    {
        float most = float.NegativeInfinity;
        bool isSound = true;
        for (int i = 0; i < logits.Length; i++)
        {
            isSound &= !float.IsNaN(logits[i]);
            most = _mask[i] != 0 && logits[i] > most ? logits[i] : most;
        }

        return isSound && float.IsFinite(most) ? most : throw new UserException("model: its logits are not finite; its weights are damaged or its training diverged");
    }

    // ⌊2³⁰ · exp(−nats)⌋, to 2⁻¹⁵ of its size.
    private static uint Weight(float nats)
    {
        float steps = nats * StepsPerNat;
        if (!(steps < Most))
        {
            return 0;
        }

        int whole = (int)steps;
        return (uint)((s_coarse[(whole >> TableBits) & 0xff] * s_fine[whole & 0xff]) >> (2 * Half - 30 + (whole >> (2 * TableBits))));
    }

    // 2^(−j · 2^(−first − 7)) for j < 2⁸, times 2³¹: of each bit of j the root of the one above it.
    private static ulong[] Powers(int first)
    {
        UInt128 power = (UInt128)1 << (Root - 1);
        var roots = new UInt128[TableBits];
        for (int depth = 1; depth < first + TableBits; depth++)
        {
            power = SquareRoot(power << Root);
            if (depth >= first)
            {
                roots[TableBits - 1 - (depth - first)] = power;
            }
        }

        var powers = new ulong[1 << TableBits];
        for (int j = 0; j < powers.Length; j++)
        {
            UInt128 product = (UInt128)1 << Root;
            for (int bit = 0; bit < TableBits; bit++)
            {
                product = ((j >> bit) & 1) == 1 ? (product * roots[bit]) >> Root : product;
            }

            powers[j] = (ulong)((product + (1u << (Root - Half - 1))) >> (Root - Half));
        }

        return powers;
    }

    private static UInt128 SquareRoot(UInt128 value)
    {
        UInt128 root = 0;
        for (int bit = 63; bit >= 0; bit--)
        {
            UInt128 tried = root | ((UInt128)1 << bit);
            root = tried * tried <= value ? tried : root;
        }

        return root;
    }
}
