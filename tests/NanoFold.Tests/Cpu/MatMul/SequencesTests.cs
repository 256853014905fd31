using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Cpu.MatMul;

/// <summary>Products of several sequences: the rows of each have the bits that they have as a product of their own.</summary>
public class SequencesTests
{
    private readonly List<IDisposable> _owned = [];

    [TearDown]
    public void TearDown()
    {
        _owned.ForEach(owned => owned.Dispose());
        _owned.Clear();
    }

    [TestCase(7, 1, 300, 50, true)]
    [TestCase(40, 1, 200, 33, true)]
    [TestCase(9, 1, 40, 70, true)]
    [TestCase(6, 1, 200, 1, true)]
    [TestCase(5, 3, 150, 40, true)]
    [TestCase(4, 30, 150, 40, true)]
    [TestCase(8, 1, 200, 90, false)]
    [TestCase(3, 4, 64, 90, false)]
    public void EachHasTheBitsThatItHasAlone(int sequences, int rows, int depth, int columns, bool transposeB)
    {
        foreach (Isa isa in new[] { IsaExtensions.Best, Isa.Vector128, Isa.Scalar })
        {
            using var backend = new CpuBackend(2, isa);
            var random = new Random(depth);
            View a = New(backend, random, sequences * rows, depth), b = transposeB ? New(backend, random, columns, depth) : New(backend, random, depth, columns);
            View bias = New(backend, random, columns), residual = New(backend, random, sequences * rows, columns), y = New(backend, random, sequences * rows, columns), alone = New(backend, random, sequences * rows, columns);
            backend.Sequences = sequences;
            backend.MatMul(new MatMulArgs { A = a, B = b, TransposeB = transposeB, Alpha = 0.7, Bias = bias, Residual = residual, Y = y });
            backend.Sequences = 1;
            for (int s = 0; s < sequences; s++)
            {
                backend.MatMul(new MatMulArgs
                {
                    A = Part(a, s), B = b, TransposeB = transposeB, Alpha = 0.7, Bias = bias, Residual = Part(residual, s), Y = Part(alone, s),
                });
            }

            Assert.That(Host.Read(backend, y), Is.EqualTo(Host.Read(backend, alone)), $"{isa}");
        }

        View Part(View view, int s) => view.With(view.Layout.Slice(0, s * rows, rows, out long offset), offset);
    }

    private View New(Backend backend, Random random, params int[] shape)
    {
        Layout layout = Layout.Of(shape);
        DeviceBuffer buffer = backend.Allocate(layout.Count * sizeof(float));
        _owned.Add(buffer);
        var view = new View(buffer, 0, layout, DType.Float32);
        backend.Upload<float>([.. Enumerable.Range(0, (int)layout.Count).Select(_ => random.NextSingle() - 0.5f)], view);
        return view;
    }
}
