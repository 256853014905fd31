using System.Numerics;
using NanoFold.Kernels.Cpu.MatMul.Tiles;
using NanoFold.Kernels.Cpu.Rounded;

namespace NanoFold.Kernels.Cpu.MatMul;

/// <summary>Products on one instruction-set path and element type.</summary>
internal abstract class Engine
{
    public abstract string Name { get; }

    /// <summary>One product, cut over all workers.</summary>
    public abstract void Multiply(CpuContext context, in Product product);

    /// <summary>Whether a product may be one of <see cref="MultiplyTogether"/>.</summary>
    public abstract bool Joins(CpuContext context, in Product product);

    /// <summary>Products of which none needs another, cut over all workers as if they were one.</summary>
    public abstract void MultiplyTogether(CpuContext context, Span<Product> products);

    /// <summary>One product by one worker alone.</summary>
    public abstract void MultiplyAlone(CpuContext context, in Product product, int worker);

    /// <summary>One product of few rows, to be done over and over by all workers; null for others.</summary>
    public abstract PreparedCall? Prepare(CpuContext context, in Product product);

    /// <summary>One product whose rows are so many parts of one size, each with the bits that it has as a product of its own.</summary>
    public void MultiplyParts(CpuContext context, in Product product, int parts)
    {
        if (parts == 1 || product.IsSymmetric)
        {
            Multiply(context, product);
            return;
        }

        int rows = product.Rows / parts;
        if (rows <= RoundedPass.MostRows && RoundedPass.Fits(context, product))
        {
            RoundedWork.Run(context, product);
            return;
        }

        if (TryMultiplyTogether(context, product, rows))
        {
            return;
        }

        for (int part = 0; part < parts; part++)
        {
            Multiply(context, product.Part(part * rows, rows));
        }
    }

    /// <summary>The same in one pass over b; false where the order of sums would not be that of parts of so many rows.</summary>
    protected abstract bool TryMultiplyTogether(CpuContext context, in Product product, int partRows);
}

/// <inheritdoc/>
internal sealed unsafe class Engine<TKernel, TOperands, O, V, T>(string name) : Engine
    where TKernel : struct, IMicroKernel
    where TOperands : struct, IOperands<T>
    where O : struct, IVectorOps<V>
    where V : struct
    where T : unmanaged, INumberBase<T>
{
    public override string Name => name;

    public override void Multiply(CpuContext context, in Product product)
    {
        if (!RoundedPass.Fits(context, product))
        {
            MultiplyFloats(context, product);
            return;
        }

        if (product.Rows <= RoundedPass.MostRows)
        {
            RoundedWork.Run(context, product);
            return;
        }

        for (Product rest = product; rest.Rows > 0;)
        {
            MultiplyFloats(context, RoundedWork.Next(context, ref rest));
        }
    }

    public override bool Joins(CpuContext context, in Product product) =>
        !product.IsSymmetric && !RoundedPass.Fits(context, product) && !SkinnyPass<O, V, T>.Fits(Oriented(product));

    public override void MultiplyTogether(CpuContext context, Span<Product> products)
    {
        foreach (ref Product product in products)
        {
            product = Oriented(product);
        }

        JoinedPasses<TKernel, TOperands, O, V, T>.Run(context, products);
    }

    private static void MultiplyFloats(CpuContext context, in Product product)
    {
        Product seen = Oriented(product);
        if (SkinnyPass<O, V, T>.Fits(seen))
        {
            var skinny = new SkinnyPass<O, V, T>(seen);
            var skinnyWork = new SkinnyWork { Context = context, Pass = &skinny };
            context.Workers.Run(skinny.Items, ref skinnyWork);
            return;
        }

        JoinedPasses<TKernel, TOperands, O, V, T>.Run(context, new ReadOnlySpan<Product>(in seen));
        if (seen.IsSymmetric)
        {
            var mirror = new MirrorWork { Mirror = new Mirror<T>(seen) };
            context.Workers.Run(mirror.Mirror.Items, ref mirror);
        }
    }

    public override void MultiplyAlone(CpuContext context, in Product product, int worker)
    {
        if (RoundedPass.Fits(context, product))
        {
            RoundedWork.RunAlone(context, product, worker);
            return;
        }

        Product seen = Oriented(product);
        if (SkinnyPass<O, V, T>.Fits(seen))
        {
            var skinny = new SkinnyPass<O, V, T>(seen);
            byte* sums = (byte*)context.Scratch(worker, skinny.ScratchBytes);
            for (long item = 0; item < skinny.Items; item++)
            {
                skinny.Multiply(item, sums);
            }

            return;
        }

        var pass = new BlockedPass<TKernel, TOperands, O, V, T>(seen, isAlone: true);
        byte* scratch = (byte*)context.Scratch(worker, pass.ScratchBytes + pass.PackedBytes);
        pass.Start(scratch + pass.ScratchBytes);
        do
        {
            for (long item = 0; item < pass.PackItems; item++)
            {
                pass.Pack(item);
            }

            for (long item = 0; item < pass.TileItems; item++)
            {
                pass.Multiply(item, scratch);
            }
        }
        while (pass.Next());
        var mirror = new Mirror<T>(seen);
        for (long item = 0; seen.IsSymmetric && item < mirror.Items; item++)
        {
            mirror.Fill(item);
        }
    }

    public override PreparedCall? Prepare(CpuContext context, in Product product)
    {
        Product seen = Oriented(product);
        return SkinnyPass<O, V, T>.Fits(seen) ? new PreparedSkinny(this, context, product, new SkinnyPass<O, V, T>(seen)) : null;
    }

    protected override bool TryMultiplyTogether(CpuContext context, in Product product, int partRows)
    {
        // Columns of y that are not adjacent, or a single one, may turn the product.
        if (product.YColumn != sizeof(T) || product.Columns == 1 || !SkinnyPass<O, V, T>.CanDot(product.Part(0, partRows)))
        {
            return false;
        }

        var skinny = new SkinnyPass<O, V, T>(product, dots: true);
        var work = new SkinnyWork { Context = context, Pass = &skinny };
        context.Workers.Run(skinny.Items, ref work);
        return true;
    }

    /// <summary>Turns the product so that the columns of y are adjacent where that can be had.</summary>
    private static Product Oriented(in Product product)
    {
        Product seen = product;
        if (seen.Columns == 1 && seen.Rows > 1 && !seen.IsStored)
        {
            return seen.Transposed();
        }

        if (seen.Columns == 1)
        {
            seen.YColumn = sizeof(T);
        }

        return seen.YColumn != sizeof(T) && seen.YRow == sizeof(T) && !seen.IsStored ? seen.Transposed() : seen;
    }

    private sealed class PreparedSkinny(Engine engine, CpuContext context, Product product, SkinnyPass<O, V, T> pass) : PreparedCall
    {
        private readonly long _items = pass.Items;

        public override void Run()
        {
            if (RoundedPass.Fits(context, product))
            {
                engine.Multiply(context, product);
                return;
            }

            if (context.Sequences > 1 && product.Rows % context.Sequences == 0)
            {
                engine.MultiplyParts(context, product, context.Sequences);
                return;
            }

            if (_items == 1)
            {
                pass.Multiply(0, (byte*)context.Scratch(0, pass.ScratchBytes));
                return;
            }

            SkinnyPass<O, V, T> shared = pass;
            var work = new SkinnyWork { Context = context, Pass = &shared };
            context.Workers.Run(_items, ref work);
        }
    }

    private struct SkinnyWork : IWork
    {
        public required CpuContext Context;
        public SkinnyPass<O, V, T>* Pass;

        public readonly void Invoke(long item, int worker) => Pass->Multiply(item, (byte*)Context.Scratch(worker, Pass->ScratchBytes));
    }

    private struct MirrorWork : IWork
    {
        public Mirror<T> Mirror;

        public readonly void Invoke(long item, int worker) => Mirror.Fill(item);
    }
}
