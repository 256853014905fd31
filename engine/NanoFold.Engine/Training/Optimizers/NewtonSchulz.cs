using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Training;

/// <summary>
/// Brings a matrix near its orthogonal factor U Vᵀ by Newton–Schulz steps, five if not said otherwise, with Muon's quintic coefficients
/// (Keller Jordan's Muon): X ← aX + (bA + cA²) X with A = X Xᵀ on the shorter side.
/// </summary>
internal sealed class NewtonSchulz
{
    /// <summary>Elements of small matrices of one shape that are brought near at once: each is too little work for several threads, and they stay in a cache together.</summary>
    private const long ElementsAtOnce = 1 << 18;

    private readonly Backend _backend;
    private readonly int _iterations;
    private readonly OperandRounding _rounding;
    private readonly IKernel<NormalizeFrobeniusCall> _normalize;
    private readonly DType _type;
    private readonly DeviceBuffer _scratch;
    private readonly long _matrixElements;
    private readonly long _gramElements;

    /// <param name="builder">Gives scratch.</param>
    /// <param name="shapes">(rows, columns) of every matrix that will come.</param>
    /// <param name="iterations">Steps.</param>
    public NewtonSchulz(OptimizerBuilder builder, IEnumerable<(int Rows, int Columns)> shapes, int iterations = 5)
    {
        _iterations = iterations;
        _backend = builder.Backend;
        _rounding = builder.Rounding;
        _type = builder.Store.Type;
        _normalize = _backend.Require<NormalizeFrobeniusCall>();
        foreach (((int rows, int columns), int count) in shapes.CountBy(shape => shape))
        {
            int side = Math.Min(rows, columns), most = Math.Min(count, Most(rows, columns));
            _matrixElements = Math.Max(_matrixElements, Align((long)most * rows * columns));
            _gramElements = Math.Max(_gramElements, Align((long)most * side * side));
        }

        _scratch = builder.Scratch(2 * _matrixElements + 2 * _gramElements);
    }

    /// <summary>How many matrices of a shape may come at once.</summary>
    public static int Most(int rows, int columns) => (int)Math.Max(1, ElementsAtOnce / ((long)rows * columns));

    /// <summary>Orthogonalises matrices of one shape, at most <see cref="Most"/>, in place: each to the bits that it has alone.</summary>
    public void Apply(StepState state, ReadOnlySpan<View> matrices)
    {
        int count = matrices.Length, rows = matrices[0].Layout[0], columns = matrices[0].Layout[1], side = Math.Min(rows, columns);
        bool isTall = rows > columns;
        Layout matrix = Layout.Of(rows, columns), all = Layout.Of(count, rows, columns), square = Layout.Of(count, side, side);
        View x = Scratch(0, all), product = Scratch(_matrixElements, all);
        View gram = Scratch(2 * _matrixElements, square), polynomial = Scratch(2 * _matrixElements + _gramElements, square);
        for (int i = 0; i < count; i++)
        {
            _normalize.Run(new NormalizeFrobeniusCall(state, matrices[i], x.With(matrix, i * matrix.Count)));
        }

        for (int step = 1; step <= _iterations; step++)
        {
            _backend.MatMul(new MatMulArgs { A = x, B = x, TransposeA = isTall, TransposeB = !isTall, Y = gram, IsSymmetric = true, Rounding = _rounding });
            _backend.MatMul(new MatMulArgs { A = gram, B = gram, Y = polynomial, IsSymmetric = true, Rounding = _rounding });
            _backend.Zip(default(Polynomial), gram, polynomial, polynomial);
            _backend.MatMul(isTall
                ? new MatMulArgs { A = x, B = polynomial, Y = product, Rounding = _rounding }
                : new MatMulArgs { A = polynomial, B = x, Y = product, Rounding = _rounding });
            if (step < _iterations)
            {
                _backend.Zip(default(Step), x, product, x);
            }
        }

        for (int i = 0; i < count; i++)
        {
            _backend.Zip(default(Step), x.With(matrix, i * matrix.Count), product.With(matrix, i * matrix.Count), matrices[i]);
        }
    }

    private static long Align(long elements) => (elements + 63) / 64 * 64;

    private View Scratch(long offset, in Layout layout) => new(_scratch, offset, layout, _type);

    /// <summary>b A + c A².</summary>
    internal readonly struct Polynomial : IBinaryOp
    {
        public V Invoke<V>(V gram, V square)
            where V : struct, ILane<V>
            => V.MultiplyAdd(V.Constant(2.0315), square, V.Constant(-4.7750) * gram);
    }

    /// <summary>a X + P.</summary>
    internal readonly struct Step : IBinaryOp
    {
        public V Invoke<V>(V x, V product)
            where V : struct, ILane<V>
            => V.MultiplyAdd(V.Constant(3.4445), x, product);
    }
}
