using System.Globalization;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Ops;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Kernels.Cpu;

namespace Outside;

/// <summary>Holds the gradient of the op against finite differences in float64, with the kernel and with plain ops.</summary>
internal static class Check
{
    private const double Most = 1e-7;

    public static int Run()
    {
        bool isGood = true;
        foreach (bool composedOnly in new[] { false, true })
        {
            using var backend = new CpuBackend(threads: 1, composedOnly: composedOnly);
            using var store = new ParameterStore(backend, DType.Float64);
            using var tables = new TableStore(backend, DType.Float64);
            Parameter x = store.Add("x", Layout.Of(3, 37), ParameterRole.Matrix, Initializer.Normal(1));
            store.Allocate(seed: 1);
            // The function is one number: y by fixed weights.
            Table weights = tables.Get("weights", x.Layout, () => [.. Enumerable.Range(0, 3 * 37).Select(i => Math.Sin(i))]);
            using var check = new GradCheck(store, tape => tape.AddLoss(DotOp.Record(tape, CenterOp.Record(tape, tape.Use(x)), tape.Use(weights))));
            GradientDifference worst = check.Worst();
            isGood &= worst.Relative < Most;
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"center, {(composedOnly ? "plain ops" : "kernel")}: {worst.Name} differs by {worst.Relative:0.0e+0}"));
        }

        return isGood ? 0 : 1;
    }
}
