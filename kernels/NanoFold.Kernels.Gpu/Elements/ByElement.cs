namespace NanoFold.Kernels.Gpu.Elements;

/// <summary>What is done with elements of a type that is known when it runs: the operands, and the code for any type.</summary>
public interface IElementBody
{
    void Run<T>()
        where T : unmanaged, IElement<T>;
}

/// <summary>The same where a second operand may be of another type.</summary>
public interface IElementPairBody
{
    void Run<T, TOther>()
        where T : unmanaged, IElement<T>
        where TOther : unmanaged, IElement<TOther>;
}

/// <summary>The one place where a view's type becomes a type argument of kernels.</summary>
public static class ByElement
{
    /// <summary>Runs the body for elements of <paramref name="x"/>.</summary>
    /// <exception cref="ArgumentException">There are no such elements: double precision is for gradient checks on the CPU.</exception>
    public static void Run<TBody>(string op, in View x, in TBody body)
        where TBody : struct, IElementBody, allows ref struct
    {
        switch (x.Type)
        {
            case DType.BFloat16:
                body.Run<BF16>();
                break;
            case DType.Float16:
                body.Run<F16>();
                break;
            case DType.Float32:
                body.Run<F32>();
                break;
            default:
                Refuse(op, x);
                break;
        }
    }

    /// <summary>Runs the body for elements of <paramref name="x"/> and of <paramref name="y"/>.</summary>
    /// <inheritdoc cref="Run{TBody}(string, in View, in TBody)"/>
    public static void Run<TBody>(string op, in View x, in View y, in TBody body)
        where TBody : struct, IElementPairBody, allows ref struct
        => Run(op, x, new First<TBody>(op, y, body));

    /// <exception cref="ArgumentException">x is in double precision.</exception>
    public static void NotDouble(string op, in View x)
    {
        if (x.Type == DType.Float64)
        {
            Refuse(op, x);
        }
    }

    private static void Refuse(string op, in View x) => Checks.Throw(op, $"{x} on a GPU, expected Float32 or 16 bits");

    private readonly ref struct First<TBody>(string op, View y, TBody body) : IElementBody
        where TBody : struct, IElementPairBody, allows ref struct
    {
        private readonly TBody _body = body;

        public void Run<T>()
            where T : unmanaged, IElement<T>
            => ByElement.Run(op, y, new Second<TBody, T>(_body));
    }

    private readonly ref struct Second<TBody, T>(TBody body) : IElementBody
        where TBody : struct, IElementPairBody, allows ref struct
        where T : unmanaged, IElement<T>
    {
        private readonly TBody _body = body;

        public void Run<TOther>()
            where TOther : unmanaged, IElement<TOther>
            => _body.Run<T, TOther>();
    }
}
