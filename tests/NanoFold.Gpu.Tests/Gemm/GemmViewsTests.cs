using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Gpu.Gemm;
using NanoFold.Kernels.Memory;

namespace NanoFold.Gpu.Tests.Gemm;

/// <summary>Products of views: what kernels are told of them and which are chosen, against the CPU backend.</summary>
[Parallelizable]
internal sealed class GemmViewsTests
{
    private static readonly GemmDeviceClass s_device = new(90, 132, 228 * 1024);

    private CpuBackend _cpu;
    private Memory _memory;
    private MachineDevice _machine;
    private GemmChooser _chooser;

    [SetUp]
    public void SetUp()
    {
        _cpu = new CpuBackend(1);
        _memory = new Memory(_cpu);
        _machine = new MachineDevice();
        _chooser = new GemmChooser(s_device);
    }

    [TearDown]
    public void TearDown()
    {
        _machine.Dispose();
        _memory.Dispose();
        _cpu.Dispose();
    }

    [Test]
    public void TransposedOperands([Values] bool transposeA, [Values] bool transposeB)
        => Check(New(transposeA ? [24, 40] : [40, 24]), transposeA, New(transposeB ? [36, 24] : [24, 36]), transposeB, [40, 36]);

    [Test]
    public void PermutedAndSlicedViews()
    {
        View a = New(2, 24, 3, 40), b = New(50, 60);
        Check(Permute(a, 0, 2, 3, 1), false, Slice(Slice(b, 0, 3, 24), 1, 5, 36), false, [2, 3, 40, 36]);
    }

    [Test]
    public void HeadsInTheMiddleOfARow()
    {
        View q = New(2, 20, 4, 16), k = New(2, 20, 2, 16);
        Check(Permute(q, 0, 2, 1, 3), false, Slice(Permute(k, 0, 2, 1, 3), 1, 1, 1), true, [2, 4, 20, 20]);
    }

    [Test]
    public void MoreBatchDimensionsThanAGridHas()
    {
        View a = New(2, 3, 2, 9, 8), b = New(2, 1, 2, 8, 10);
        Check(a, false, b, false, [2, 3, 2, 9, 10]);
        Check(Permute(New(3, 2, 9, 2, 8), 1, 3, 0, 2, 4), false, Permute(New(2, 8, 3, 2, 10), 0, 3, 2, 1, 4), false, [2, 2, 3, 9, 10]);
    }

    [Test]
    public void RowsOfABatchAreRowsOfOneProduct()
    {
        View a = New(4, 10, 16), b = New(16, 12), y = New(4, 10, 12);
        Assert.That(GemmViews.TryDescribe(new MatMulArgs { A = a, B = b, Y = y }, out GemmProblem problem, out GemmBatch batch));
        Assert.That((problem.M, problem.Batch, batch.Rank), Is.EqualTo((40, 1, 0)));
        Check(a, false, b, false, [4, 10, 12]);
    }

    [Test]
    public void BiasResidualAndAlpha([Values] bool broadcast, [Values] bool accumulate)
    {
        View residual = broadcast ? New(12) : New(3, 10, 12);
        Check(New(3, 10, 16), false, New(3, 16, 12), false, [3, 10, 12], New(12), residual, accumulate, 0.5);
    }

    [Test]
    public void OneRowIsReadAlongTheDepth()
    {
        Check(New(1, 64), false, New(40, 64), true, [1, 40]);
        Assert.That(_machine.Launched[^1].Family, Is.EqualTo(GemmFamily.FewRows));
    }

    [Test]
    public void ADeepProductOfFewSumsIsSplit()
    {
        Check(New(2048, 24), true, New(2048, 32), false, [24, 32]);
        Assert.That(_machine.Launched.ConvertAll(k => k.Family), Is.EqualTo(new[] { GemmFamily.Simt, GemmFamily.Reduce }));
    }

    [Test]
    public void AMatrixWithoutAdjacentElementsIsNotForTheseKernels()
    {
        View a = Permute(New(8, 12, 3), 2, 0, 1), y = New(3, 8, 4);
        Assert.That(GemmViews.TryDescribe(new MatMulArgs { A = a, B = New(12, 4), Y = y }, out _, out _), Is.False);
    }

    [Test]
    public void GroupedRows([Values] bool transposeB, [Values] bool accumulate)
    {
        View offsets = _memory.Integers([4], [0, 7, 7, 30]);
        View a = New(33, 16), b = New(transposeB ? [3, 20, 16] : [3, 16, 20]), y = New(33, 20), expected = Copy(y);
        CheckGroups(new GroupedMatMulArgs { A = a, B = b, Y = y, Offsets = offsets, TransposeB = transposeB, Accumulate = accumulate },
            new GroupedMatMulArgs { A = a, B = b, Y = expected, Offsets = offsets, TransposeB = transposeB, Accumulate = accumulate });
    }

    [Test]
    public void GroupedDepth([Values] bool accumulate)
    {
        View offsets = _memory.Integers([4], [0, 7, 7, 30]);
        View a = New(33, 16), b = New(33, 20), y = New(3, 16, 20), expected = Copy(y);
        CheckGroups(new GroupedMatMulArgs { A = a, B = b, Y = y, Offsets = offsets, PerGroupOutput = true, Accumulate = accumulate },
            new GroupedMatMulArgs { A = a, B = b, Y = expected, Offsets = offsets, PerGroupOutput = true, Accumulate = accumulate });
    }

    [Test]
    public void AMeasuredChoiceIsUsedInsteadOfTheEstimate()
    {
        View a = New(64, 64), b = New(64, 64), y = New(64, 64);
        Assert.That(GemmViews.TryDescribe(new MatMulArgs { A = a, B = b, Y = y }, out GemmProblem problem, out _));
        IReadOnlyList<GemmChoice> candidates = _chooser.Candidates(problem, GpuPrecision.TensorFloat32);
        _chooser.Keep(GemmProduct.Of(problem, GpuPrecision.TensorFloat32)!.Value, candidates[^1]);
        Assert.That(_chooser.Choose(problem, GpuPrecision.TensorFloat32), Is.EqualTo(candidates[^1]).And.Not.EqualTo(candidates[0]));
    }

    private View New(params ReadOnlySpan<int> shape) => _memory.Random(DType.Float32, 7 * shape[0] + shape[^1], shape);

    private View Copy(in View view) => _memory.New(DType.Float32, view.Layout.ToShape(), _memory.Read(view));

    private static View Permute(in View view, params ReadOnlySpan<int> axes) => view.With(view.Layout.Permute(axes));

    private static View Slice(in View view, int axis, int start, int length)
    {
        Layout layout = view.Layout.Slice(axis, start, length, out long offset);
        return view.With(layout, offset);
    }

    private void Check(
        in View a, bool transposeA, in View b, bool transposeB, ReadOnlySpan<int> shape, in View bias = default, in View residual = default, bool accumulate = false, double alpha = 1)
    {
        View y = New(shape), expected = Copy(y);
        _cpu.MatMul(new MatMulArgs
        {
            A = a, TransposeA = transposeA, B = b, TransposeB = transposeB, Y = expected, Bias = bias, Residual = residual, Accumulate = accumulate, Alpha = alpha,
        });
        var args = new MatMulArgs
        {
            A = a, TransposeA = transposeA, B = b, TransposeB = transposeB, Y = y, Bias = bias, Residual = residual, Accumulate = accumulate, Alpha = alpha,
        };
        Assert.That(GemmViews.TryDescribe(args, out GemmProblem problem, out GemmBatch batch));
        (problem.A, problem.B, problem.Y, problem.Bias, problem.Residual) = (Address(a), Address(b), Address(y), Address(bias), Address(residual));
        GemmRun.Run(_machine, problem, batch, _chooser.Choose(problem, GpuPrecision.Float32));
        Assert.That(_memory.Read(y), Is.EqualTo(_memory.Read(expected)).Within(1e-4));
    }

    private void CheckGroups(in GroupedMatMulArgs args, in GroupedMatMulArgs expected)
    {
        _cpu.GroupedMatMul(expected);
        Assert.That(GemmViews.TryDescribe(args, out GemmProblem problem));
        (problem.A, problem.B, problem.Y, problem.Offsets) = (Address(args.A), Address(args.B), Address(args.Y), Address(args.Offsets));
        GemmRun.Run(_machine, problem, _chooser.Choose(problem, GpuPrecision.Float32));
        Assert.That(_memory.Read(args.Y), Is.EqualTo(_memory.Read(expected.Y)).Within(1e-4));
    }

    private unsafe long Address(in View view)
    {
        if (view.IsNone)
        {
            return 0;
        }

        _machine.Allow((long)((NativeBuffer)view.Buffer).Pointer, view.Buffer.Bytes);
        return (long)view.Address;
    }
}
