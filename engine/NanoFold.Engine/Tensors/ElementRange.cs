namespace NanoFold.Engine.Tensors;

/// <summary>
/// Elements from <see cref="Start"/> to before <see cref="End"/> of a store's buffers. Enumerated it gives pieces of at most <see cref="MostInPiece"/>
/// elements: vectors are counted in 32 bits by many kernels, stores are not. Enumerating allocates nothing.
/// </summary>
public readonly record struct ElementRange(long Start, long End)
{
    /// <summary>Elements of all pieces but the last.</summary>
    public const int MostInPiece = 1 << 30;

    public long Count => End - Start;

    public bool IsEmpty => End == Start;

    public Enumerator GetEnumerator() => new(this);

    /// <summary>Goes from piece to piece.</summary>
    public struct Enumerator(ElementRange range)
    {
        private long _next = range.Start;

        public ElementRange Current { get; private set; }

        public bool MoveNext()
        {
            Current = new ElementRange(_next, Math.Min(range.End, _next + MostInPiece));
            _next = Current.End;
            return !Current.IsEmpty;
        }
    }
}
