namespace NanoFold.Engine.Runs.Compression;

/// <summary>How many bits pieces of a text took: by their place in the text, or in the order in which they were coded.</summary>
/// <param name="size">Bytes of the text.</param>
/// <param name="isInOrderOfCoding">Pieces are as they were coded: of a model that learns meanwhile.</param>
public sealed class BitCurve(int size, bool isInOrderOfCoding)
{
    private const int MostPieces = 256, LeastBytes = 64;

    private readonly int _piece = Math.Max(LeastBytes, (size + MostPieces - 1) / MostPieces);
    private readonly double[] _bits = new double[MostPieces];
    private readonly long[] _bytes = new long[MostPieces];

    /// <summary>Whether pieces are in the order in which they were coded.</summary>
    public bool IsInOrderOfCoding { get; } = isInOrderOfCoding;

    /// <summary>The pieces.</summary>
    public IReadOnlyList<CurvePoint> Points
    {
        get
        {
            var points = new List<CurvePoint>();
            (double bits, long bytes) = (0, 0);
            for (int i = 0; i < MostPieces; i++)
            {
                if (_bytes[i] > 0)
                {
                    (bits, bytes) = (bits + _bits[i], bytes + _bytes[i]);
                    points.Add(new CurvePoint((long)i * _piece, _bytes[i], _bits[i] / _bytes[i], bits / bytes));
                }
            }

            return points;
        }
    }

    /// <summary>Bits of all pieces.</summary>
    internal double Bits => _bits.Sum();

    internal void Add(long offset, long coded, int bytes, double bits)
    {
        int piece = (int)Math.Min(MostPieces - 1, (IsInOrderOfCoding ? coded : offset) / _piece);
        _bits[piece] += bits;
        _bytes[piece] += bytes;
    }
}

/// <summary>A piece of a text.</summary>
/// <param name="Offset">Its first byte.</param>
/// <param name="Bytes">How many it has: a token belongs to the piece that it begins in.</param>
/// <param name="BitsPerByte">Of this piece.</param>
/// <param name="MeanBitsPerByte">Of all pieces up to this one.</param>
public readonly record struct CurvePoint(long Offset, long Bytes, double BitsPerByte, double MeanBitsPerByte);
