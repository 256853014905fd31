namespace NanoFold.Engine.Text;

/// <summary>Turns the bytes of one piece into tokens of a byte-level BPE. Remembers pieces it has seen. For one thread at a time.</summary>
internal sealed class BpeEncoder(MergeTable merges, int[] byteIds, Dictionary<byte[], int>? wholePieces)
{
    private readonly BpeWorker _worker = new(merges);

    /// <summary>Appends the tokens of <paramref name="piece"/>.</summary>
    public void Encode(ReadOnlySpan<byte> piece, List<int> ids)
    {
        if (piece.Length == 1)
        {
            ids.Add(byteIds[piece[0]]);
            return;
        }

        if (_worker.Memory.TryGet(piece, ids))
        {
            return;
        }

        int first = ids.Count;
        if (wholePieces is not null && wholePieces.GetAlternateLookup<ReadOnlySpan<byte>>().TryGetValue(piece, out int whole))
        {
            ids.Add(whole);
        }
        else
        {
            _worker.Merge(piece, byteIds, ids);
            _worker.Trim();
        }

        _worker.Memory.Put(piece, System.Runtime.InteropServices.CollectionsMarshal.AsSpan(ids)[first..]);
    }
}
