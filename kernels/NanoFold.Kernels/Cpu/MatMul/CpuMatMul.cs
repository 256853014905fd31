using NanoFold.Kernels.Cpu.MatMul.Rounded;

namespace NanoFold.Kernels.Cpu.MatMul;

/// <summary>
/// Matrix products of the CPU backend, float32 on every instruction-set path, also with operands rounded to bfloat16, and float64. Nothing managed is allocated by a call,
/// and the number of threads does not change a bit of the result.
/// </summary>
public sealed unsafe class CpuMatMul
{
    private const double AloneFlops = 1 << 25;
    private const int MostTogether = 8;

    private readonly CpuContext _context;
    private readonly Engine _single;
    private Engine? _rounded;

    public CpuMatMul(CpuContext context)
        : this(context, Engines.For(context.Isa))
    {
    }

    /// <summary>With an engine of the caller's choice for float32.</summary>
    internal CpuMatMul(CpuContext context, Engine single)
    {
        _context = context;
        _single = single;
    }

    /// <summary>y = alpha · op(a) · op(b) (+ bias) (+ residual); y may be the residual, but overlap nothing else.</summary>
    /// <exception cref="ArgumentException">Shapes or types do not fit.</exception>
    public void MatMul(in MatMulArgs args)
    {
        BackendChecks.MatMul(args, weights: true);
        var batches = new Batches(args);
        Engine engine = EngineOf(args.Y.Type, args.Rounding);
        long count = batches.Count;
        Product first = batches[0];
        int sequences = (count == 1 || args.HasSequencesInRows) && first.Rows % _context.Sequences == 0 ? _context.Sequences : 1;
        if (count > 1 && sequences == 1 && first.Flops < AloneFlops)
        {
            var work = new BatchWork { Context = _context, Engine = engine, Batches = &batches };
            _context.Workers.Run(count, ref work);
            return;
        }

        for (long i = 0; i < count; i++)
        {
            engine.MultiplyParts(_context, batches[i], sequences);
        }
    }

    /// <summary>Products of which none needs another; see <see cref="Backend.MatMulTogether"/>.</summary>
    /// <exception cref="ArgumentException">Shapes or types do not fit.</exception>
    public void MatMulTogether(ReadOnlySpan<MatMulArgs> products)
    {
        Span<Product> joined = stackalloc Product[MostTogether];
        int count = 0;
        Engine? engine = null;
        foreach (ref readonly MatMulArgs args in products)
        {
            BackendChecks.MatMul(args, weights: true);
            var batches = new Batches(args);
            Engine own = EngineOf(args.Y.Type, args.Rounding);
            // One thread has nothing to share: it does better with what one product packs in its cache.
            bool joins = _context.Workers.SharesRuns && _context.Sequences == 1 && batches.Count == 1 && count < MostTogether && (engine ?? own) == own;
            if (joins && batches[0] is var product && own.Joins(_context, product))
            {
                joined[count++] = product;
                engine = own;
            }
            else
            {
                MatMul(args);
            }
        }

        engine?.MultiplyTogether(_context, joined[..count]);
    }

    /// <summary>A product of few rows to be done over and over; null for others, which take long.</summary>
    public PreparedCall? Prepare(in MatMulArgs args)
    {
        BackendChecks.MatMul(args, weights: true);
        var batches = new Batches(args);
        Engine engine = EngineOf(args.Y.Type, args.Rounding);
        return batches.Count == 1 ? engine.Prepare(_context, batches[0]) : null;
    }

    /// <summary>One product per group of rows; see <see cref="Backend.GroupedMatMul"/>.</summary>
    /// <exception cref="ArgumentException">Shapes, types or offsets do not fit.</exception>
    public void GroupedMatMul(in GroupedMatMulArgs args)
    {
        BackendChecks.GroupedMatMul(args, weights: true);
        var groups = new Groups(args);
        Engine engine = EngineOf(args.Y.Type, args.Rounding);
        for (int e = 0; e < groups.Count; e++)
        {
            Product product = groups[e];
            if (product.Rows == 0)
            {
                continue;
            }

            if (product.Depth == 0)
            {
                groups.ClearUnlessAccumulating(product);
                continue;
            }

            // A sequence brings a token, and a token no more than a row to each group.
            engine.MultiplyParts(_context, product, _context.Sequences > 1 && !args.PerGroupOutput ? product.Rows : 1);
        }
    }

    private Engine EngineOf(DType type, OperandRounding rounding) =>
        type == DType.Float64 ? Engines.Double
        : rounding == OperandRounding.BFloat16 || _context.RoundsOperands ? _rounded ??= RoundedEngines.For(_context.Isa)
        : _single;

    private struct BatchWork : IWork
    {
        public required CpuContext Context;
        public required Engine Engine;
        public Batches* Batches;

        public readonly void Invoke(long item, int worker) => Engine.MultiplyAlone(Context, (*Batches)[item], worker);
    }
}
