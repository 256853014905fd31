using NanoFold.Kernels;
using NanoFold.Kernels.Calls;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Engine.Training;

/// <summary>
/// Brings a matrix near its orthogonal factor U Vᵀ by five Newton–Schulz steps with Muon's quintic coefficients
/// (Keller Jordan's Muon): X ← aX + (bA + cA²) X with A = X Xᵀ on the shorter side.
/// </summary>
internal sealed class NewtonSchulz
{
    private const int Iterations = 5;

    private readonly Backend _backend;
    private readonly OperandRounding _rounding;
    private readonly IKernel<NormalizeFrobeniusCall> _normalize;
    private readonly DType _type;
    private readonly DeviceBuffer _scratch;
    private readonly long _matrixElements;
    private readonly long _gramElements;

    /// <param name="builder">Gives scratch.</param>
    /// <param name="shapes">(rows, columns) of every matrix that will come.</param>
    public NewtonSchulz(OptimizerBuilder builder, IEnumerable<(int Rows, int Columns)> shapes)
    {
        _backend = builder.Backend;
        _rounding = builder.Rounding;
        _type = builder.Store.Type;
        _normalize = _backend.Require<NormalizeFrobeniusCall>();
        foreach ((int rows, int columns) in shapes)
        {
            int side = Math.Min(rows, columns);
            _matrixElements = Math.Max(_matrixElements, Align((long)rows * columns));
            _gramElements = Math.Max(_gramElements, Align((long)side * side));
        }

        _scratch = builder.Scratch(2 * _matrixElements + 2 * _gramElements);
    }

    /// <summary>Orthogonalises <paramref name="matrix"/> in place.</summary>
    public void Apply(StepState state, in View matrix)
    {
        int rows = matrix.Layout[0], columns = matrix.Layout[1], side = Math.Min(rows, columns);
        bool isTall = rows > columns;
        View x = Scratch(0, matrix.Layout), product = Scratch(_matrixElements, matrix.Layout);
        View gram = Scratch(2 * _matrixElements, Layout.Of(side, side));
        View polynomial = Scratch(2 * _matrixElements + _gramElements, Layout.Of(side, side));
        _normalize.Run(new NormalizeFrobeniusCall(state, matrix, x));
        for (int i = 0; i < Iterations; i++)
        {
            _backend.MatMul(new MatMulArgs { A = x, B = x, TransposeA = isTall, TransposeB = !isTall, Y = gram, IsSymmetric = true, Rounding = _rounding });
            _backend.MatMul(new MatMulArgs { A = gram, B = gram, Y = polynomial, IsSymmetric = true, Rounding = _rounding });
            _backend.Zip(default(Polynomial), gram, polynomial, polynomial);
            _backend.MatMul(isTall
                ? new MatMulArgs { A = x, B = polynomial, Y = product, Rounding = _rounding }
                : new MatMulArgs { A = polynomial, B = x, Y = product, Rounding = _rounding });
            _backend.Zip(default(Step), x, product, i == Iterations - 1 ? matrix : x);
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
