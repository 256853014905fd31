using NanoFold.Kernels.Gpu.Ptx;

namespace NanoFold.Kernels.Gpu.Attention.Flash;

/// <summary>
/// The online softmax of a warp's rows. Weights are taken relative to a maximum that follows the row's only when that is <see cref="Slack"/> bits ahead (for some row of the warp),
/// as then sums and output have to follow too; the quotient at the end is the same. Lanes hold sums of products as <see cref="FlashKernel"/> says.
/// </summary>
internal sealed class FlashSoftmax
{
    /// <summary>Below any score; finite, so that a row that saw nothing yet gives 2^−∞ = 0 and not a NaN.</summary>
    private const float Lowest = -1e30f;

    /// <summary>Weights stay below 2^8, which half precision holds too.</summary>
    private const float Slack = 8;

    private const float NatsPerBit = 0.6931471805599453f;

    private readonly PtxWriter _w;
    private readonly int _columnTiles;
    private readonly Reg _bitScale;
    private readonly Reg[] _maxima, _sums;

    /// <param name="w">Of the kernel.</param>
    /// <param name="rowTiles">Tiles of 16 rows that a warp has.</param>
    /// <param name="columnTiles">Tiles of 8 columns of a step.</param>
    public FlashSoftmax(PtxWriter w, int rowTiles, int columnTiles)
    {
        (_w, _columnTiles) = (w, columnTiles);
        _bitScale = FlashArguments.Read(w, RegKind.F32, nameof(FlashArguments.BitScale));
        _maxima = w.New(RegKind.F32, 2 * rowTiles);
        foreach (Reg maximum in _maxima)
        {
            w.Set(maximum, Lowest);
        }

        _sums = w.New(RegKind.F32, 2 * rowTiles);
        foreach (Reg sum in _sums)
        {
            w.Set(sum, 0f);
        }
    }

    /// <summary>Rows that a lane has something of.</summary>
    public int Rows => _maxima.Length;

    /// <summary>The rows' maxima with these scores, and whether in the lane one is far ahead of that which weights are taken relative to.</summary>
    public (Reg[] Largest, Reg Grows) Look(Reg[] scores)
    {
        var largest = new Reg[Rows];
        Reg grows = _w.Compare("lt", _w.Const(0), 0);
        for (int row = 0; row < Rows; row++)
        {
            int first = FirstOf(row, _columnTiles);
            largest[row] = _w.Max(scores[first], scores[first + 1]);
            for (int n = 1; n < _columnTiles; n++)
            {
                largest[row] = _w.Max(largest[row], _w.Max(scores[first + (4 * n)], scores[first + (4 * n) + 1]));
            }

            largest[row] = _w.Max(_maxima[row], QuadMax(largest[row]));
            grows = _w.Either(grows, _w.Compare("gt", _w.Mul(_w.Sub(largest[row], _maxima[row]), _bitScale), Slack));
        }

        return (largest, grows);
    }

    /// <summary>A row's weights are relative to a new maximum from now on; what its output has to be multiplied with.</summary>
    public Reg Follow(int row, Reg largest)
    {
        Reg factor = _w.Exp2(_w.Mul(_w.Sub(_maxima[row], largest), _bitScale));
        _w.Set(_maxima[row], largest);
        _w.Set(_sums[row], _w.Mul(_sums[row], factor));
        return factor;
    }

    /// <summary>Scores become weights, and are summed.</summary>
    public void Weigh(Reg[] scores)
    {
        for (int row = 0; row < Rows; row++)
        {
            Reg negated = _w.Mul(_w.Negate(_maxima[row]), _bitScale), sum = _sums[row];
            ForRow(row, _columnTiles, i =>
            {
                _w.Set(scores[i], _w.Exp2(_w.Mad(scores[i], _bitScale, negated)));
                _w.Set(sum, _w.Add(sum, scores[i]));
            });
        }
    }

    /// <summary>Stores the rows' log-sum-exp, and gives what the output has to be multiplied with.</summary>
    /// <param name="pair">Number of the head over all batch rows.</param>
    /// <param name="row">A lane's first row; the others are eight further each.</param>
    /// <param name="isFirst">Of the lanes that share a row.</param>
    /// <param name="time">Rows that there are.</param>
    public Reg[] Finish(Reg pair, Reg row, Reg isFirst, Reg time)
    {
        Reg scale = FlashArguments.Read(_w, RegKind.F32, nameof(FlashArguments.Scale));
        Reg address = _w.MadWide(row, 4, _w.Mad(_w.Widen(_w.Mul(pair, time)), _w.Op(RegKind.B64, "mov.b64", 4), FlashArguments.Read(_w, RegKind.B64, nameof(FlashArguments.LogSumExp))));
        var factors = new Reg[Rows];
        for (int i = 0; i < factors.Length; i++)
        {
            Reg sum = QuadSum(_sums[i]);
            factors[i] = _w.Select(_w.Compare("eq", sum, 0f), 0f, _w.Reciprocal(sum), RegKind.F32);
            Reg logSumExp = _w.Mad(_w.Log2(sum), NatsPerBit, _w.Mul(_maxima[i], scale));
            using (_w.When(_w.Both(isFirst, _w.Compare("lt", _w.Add(row, 8 * i), time))))
            {
                _w.StoreGlobal(address, 32 * i, logSumExp);
            }
        }

        return factors;
    }

    /// <summary>What lanes hold of a row, among tiles of 8 columns.</summary>
    public static void ForRow(int row, int tiles, Action<int> element)
    {
        for (int n = 0; n < tiles; n++)
        {
            element(FirstOf(row, tiles) + (4 * n));
            element(FirstOf(row, tiles) + (4 * n) + 1);
        }
    }

    private static int FirstOf(int row, int tiles) => (row / 2 * tiles * 4) + (row % 2 * 2);

    /// <summary>Sum over the four lanes that share rows.</summary>
    private Reg QuadSum(Reg value)
    {
        value = _w.Add(value, _w.ShuffleXor(value, 1));
        return _w.Add(value, _w.ShuffleXor(value, 2));
    }

    private Reg QuadMax(Reg value)
    {
        value = _w.Max(value, _w.ShuffleXor(value, 1));
        return _w.Max(value, _w.ShuffleXor(value, 2));
    }
}
