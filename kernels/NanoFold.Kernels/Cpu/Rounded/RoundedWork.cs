using NanoFold.Kernels.Cpu.MatMul;

namespace NanoFold.Kernels.Cpu.Rounded;

/// <summary>Runs the passes of products with rounded activations.</summary>
internal static unsafe class RoundedWork
{
    /// <summary>Rows that one thread rounds in less time than it takes to tell another one.</summary>
    private const int FewRows = 8;

    /// <summary>Rows whose rounded values are there at once.</summary>
    private const int FloatRows = 1024;

    /// <summary>One product, cut over all workers.</summary>
    public static void Run(CpuContext context, in Product product)
    {
        var pass = new RoundedPass(product, context.Isa);
        pass.Start((byte*)context.Activations(pass.RowsBytes));
        var rounding = new Rounding { Pass = &pass };
        context.Run(ref rounding, pass.Rows, pass.Rows > FewRows);
        var products = new Products { Context = context, Pass = &pass };
        context.Workers.Run(pass.Items, ref products);
    }

    /// <summary>The next rows of a product of floats, their activations rounded; with those that are left in <paramref name="rest"/>.</summary>
    public static Product Next(CpuContext context, ref Product rest)
    {
        Product next = rest.Part(0, Math.Min(FloatRows, rest.Rows));
        var widening = new Widening { Product = next, Target = (float*)context.Activations((long)next.Rows * next.Depth * sizeof(float)) };
        context.Run(ref widening, next.Rows, parallel: true);
        rest = rest.Part(next.Rows, rest.Rows - next.Rows);
        next.A = (byte*)widening.Target;
        next.ARow = (nint)next.Depth * sizeof(float);
        next.AStep = sizeof(float);
        return next;
    }

    /// <summary>One product by one worker alone.</summary>
    public static void RunAlone(CpuContext context, in Product product, int worker)
    {
        var pass = new RoundedPass(product, context.Isa);
        byte* scratch = (byte*)context.Scratch(worker, pass.ScratchBytes + pass.RowsBytes);
        pass.Start(scratch + pass.ScratchBytes);
        for (long row = 0; row < pass.Rows; row++)
        {
            pass.Round(row);
        }

        for (long item = 0; item < pass.Items; item++)
        {
            pass.Multiply(item, scratch);
        }
    }

    private struct Rounding : IWork
    {
        public RoundedPass* Pass;

        public readonly void Invoke(long item, int worker) => Pass->Round(item);
    }

    private struct Widening : IWork
    {
        public Product Product;
        public float* Target;

        public readonly void Invoke(long item, int worker) => RoundedRows.Widen(Product, (int)item, Target + (item * Product.Depth));
    }

    private struct Products : IWork
    {
        public required CpuContext Context;
        public RoundedPass* Pass;

        public readonly void Invoke(long item, int worker) => Pass->Multiply(item, (byte*)Context.Scratch(worker, Pass->ScratchBytes));
    }
}
