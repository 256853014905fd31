namespace NanoFold.Gpu.Tests.Ptx.Blocks;

/// <summary>
/// What a warp knows to be over of what all warps of the launch did: for each of them a time, and its own (a vector clock). A warp's time goes on when its lanes meet; what
/// lanes did since then one lane cannot tell others about.
/// </summary>
internal sealed class WarpOrder
{
    private readonly int[] _known;
    private int[]? _acquired, _barrier;

    /// <param name="number">Of the warp in the launch.</param>
    /// <param name="warps">Of the launch.</param>
    public WarpOrder(int number, int warps)
    {
        Number = number;
        _known = new int[warps];
        _known[number] = 1;
    }

    public int Number { get; }

    /// <summary>The warp's own.</summary>
    public int Time => _known[Number];

    /// <summary>Whether all that a warp did until a time is over for this one.</summary>
    public bool Knows(int warp, int time) => _known[warp] >= time;

    /// <summary>All lanes come to a barrier, and tell what they know; before the next instruction they are told what others do.</summary>
    public void Arrive(int[] barrier)
    {
        Meet();
        _known[Number]--;
        Join(barrier, _known);
        _known[Number]++;
        _barrier = barrier;
    }

    /// <summary>All lanes wait at a barrier at which they have arrived before: before the next instruction they are told what those know who arrived.</summary>
    public void Await(int[] barrier) => _barrier = barrier;

    public void Resume()
    {
        if (_barrier is not null)
        {
            Join(_known, _barrier);
            _barrier = null;
        }
    }

    /// <summary>All lanes meet: each knows what any of them had acquired.</summary>
    public void Meet()
    {
        if (_acquired is not null)
        {
            Join(_known, _acquired);
            _acquired = null;
        }

        _known[Number]++;
    }

    /// <summary>A lane tells, through a word of memory, what is over: what the lanes did before they last met.</summary>
    public void Release(int[] word)
    {
        _known[Number]--;
        Join(word, _known);
        _known[Number]++;
    }

    /// <summary>Lanes are told through a word what is over; until all meet only all of them together can use it.</summary>
    public void Acquire(int[] word, bool areAll)
    {
        if (areAll)
        {
            Join(_known, word);
        }
        else
        {
            Join(_acquired ??= new int[_known.Length], word);
        }
    }

    private static void Join(int[] target, int[] source)
    {
        for (int i = 0; i < target.Length; i++)
        {
            target[i] = Math.Max(target[i], source[i]);
        }
    }
}
