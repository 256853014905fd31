using NanoFold.Kernels.Cpu.Loops;
using NanoFold.Kernels.Lanes;

namespace NanoFold.Kernels.Cpu.Attention.Blocks;

/// <summary>Memory for queries that meet keys block by block: scores and packed values of one block, which all states share, and the states.</summary>
internal readonly unsafe struct TileScratch
{
    private readonly int _columns, _depth, _valueDepth;
    private readonly LaneSize _lane;
    private readonly byte* _states;
    private readonly long _stateBytes;

    /// <param name="memory">Of <see cref="Bytes"/>; null to learn how many they are.</param>
    /// <param name="depth">Of queries and keys.</param>
    /// <param name="valueDepth">Of values.</param>
    /// <param name="columns">Queries of a state at most.</param>
    /// <param name="states">How many.</param>
    /// <param name="lane">Of the elements.</param>
    public TileScratch(void* memory, int depth, int valueDepth, int columns, int states, LaneSize lane)
    {
        (_columns, _depth, _valueDepth, _lane) = (columns, depth, valueDepth, lane);
        var cursor = new ScratchCursor(memory);
        ScoreRow = lane.Padded(columns);
        Scores = cursor.Take((long)BlockSizes.Keys * ScoreRow * lane.Bytes);
        Values = cursor.Take((long)BlockSizes.Keys * lane.Padded(valueDepth) * lane.Bytes);
        Positions = cursor.Take((long)ScoreRow * lane.Bytes);
        _stateBytes = new OnlineSoftmax(null, columns, depth, valueDepth, lane).Bytes;
        _states = (byte*)cursor.Take(_stateBytes * states);
        Bytes = cursor.Used;
    }

    /// <summary>[keys, <see cref="ScoreRow"/>].</summary>
    public void* Scores { get; }

    /// <summary>Columns, to whole vectors.</summary>
    public int ScoreRow { get; }

    public void* Values { get; }

    /// <summary>The place of each column among those of its state, as elements.</summary>
    public void* Positions { get; }

    public long Bytes { get; }

    public OnlineSoftmax State(int index) => new(_states + index * _stateBytes, _columns, _depth, _valueDepth, _lane);
}
