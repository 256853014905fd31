using NanoFold.Kernels.Gpu.Elements;

namespace NanoFold.Kernels.Gpu.Loops;

/// <summary>What is done with rows of a type and in pieces that are known when it runs.</summary>
internal interface IPieceBody
{
    void Run<T, TPiece>()
        where T : unmanaged, IElement<T>
        where TPiece : struct, IPiece;
}

/// <summary>As <see cref="ByElement"/>, and by whether rows are in whole pieces.</summary>
internal static class ByPiece
{
    /// <inheritdoc cref="ByElement.Run{TBody}(string, in View, in TBody)"/>
    public static void Run<TBody>(string op, in View x, bool isWhole, in TBody body)
        where TBody : struct, IPieceBody
        => ByElement.Run(op, x, new Choice<TBody>(isWhole, body));

    private readonly struct Choice<TBody>(bool isWhole, TBody body) : IElementBody
        where TBody : struct, IPieceBody
    {
        public void Run<T>()
            where T : unmanaged, IElement<T>
        {
            if (isWhole)
            {
                body.Run<T, AlignedPiece>();
            }
            else
            {
                body.Run<T, RaggedPiece>();
            }
        }
    }
}
