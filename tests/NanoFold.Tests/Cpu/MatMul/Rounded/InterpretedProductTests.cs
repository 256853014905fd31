using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Kernels.Cpu.MatMul;
using NanoFold.Kernels.Cpu.MatMul.Rounded;
using NanoFold.Kernels.Cpu.MatMul.Tiles;
using NanoFold.Kernels.Cpu.Programs;
using ProductEngine = NanoFold.Kernels.Cpu.MatMul.Engine;

namespace NanoFold.Tests.Cpu.MatMul.Rounded;

/// <summary>Whole products whose programs the interpreter runs: those for tiles against the naive product, those for vectors to the bits of the machine.</summary>
[Parallelizable]
public sealed class InterpretedProductTests
{
    private static readonly (int Rows, int Columns, int Depth)[] s_shapes = [(25, 5, 7), (32, 32, 32), (33, 47, 65), (48, 16, 31), (70, 33, 100), (40, 64, 530)];

    private static readonly ProductEngine s_tiles = new Engine<TileKernel<InterpretedTilePrograms>, TileOperands, Ops512, Vector512<float>, float>("interpreted tiles");
    private static readonly ProductEngine s_pairs = new Engine<PairKernel<InterpretedPairPrograms>, PairOperands, Ops512, Vector512<float>, float>("interpreted pairs");

    [Test]
    public void TilesGiveTheProduct([Range(0, 5)] int shape, [Range(0, 3)] int form)
    {
        RequireVectors();
        using var context = new CpuContext(2, Isa.Vector512);
        using MatMulTestCase test = Case(shape, form);
        test.Round();
        test.Check(new CpuMatMul(context, s_tiles), $"{s_shapes[shape]}, form {form}");
    }

    [Test]
    public void VectorsGiveTheBitsOfTheMachine([Range(0, 5)] int shape, [Range(0, 3)] int form)
    {
        RequireVectors();
        if (!RoundedUnits.There.Contains(InstructionSet.Avx512Pairs))
        {
            Assert.Ignore("this machine has no products of pairs");
        }

        using var context = new CpuContext(1, Isa.Vector512);
        using MatMulTestCase test = Case(shape, form);
        test.Run(new CpuMatMul(context, RoundedEngines.Pairs));
        double[] expected = test.Y.Snapshot();
        test.Y.Restore();
        test.Run(new CpuMatMul(context, s_pairs));
        Assert.That(test.Y.Snapshot(), Is.EqualTo(expected));
    }

    private static MatMulTestCase Case(int shape, int form)
    {
        (int rows, int columns, int depth) = s_shapes[shape];
        bool transposeA = (form & 1) != 0, transposeB = (form & 2) != 0;
        var random = new Random(shape);
        return new MatMulTestCase
        {
            A = new TestTensor(random, DType.Float32, transposeA ? [depth, rows] : [rows, depth], padding: 3),
            B = new TestTensor(random, DType.Float32, transposeB ? [columns, depth] : [depth, columns]),
            Y = new TestTensor(random, DType.Float32, [rows, columns], padding: 1),
            Bias = new TestTensor(random, DType.Float32, [columns]),
            TransposeA = transposeA,
            TransposeB = transposeB,
            Alpha = form == 3 ? -0.75 : 1,
            Accumulate = (form & 1) != 0,
        };
    }

    // Operands are packed with instructions of .NET.
    private static void RequireVectors()
    {
        if (!Avx512BW.IsSupported)
        {
            Assert.Ignore("this machine has no vectors of 512 bits");
        }
    }
}
