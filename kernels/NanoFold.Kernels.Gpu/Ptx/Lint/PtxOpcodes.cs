using System.Collections.Concurrent;

namespace NanoFold.Kernels.Gpu.Ptx.Lint;

/// <summary>
/// The instructions that programs here are made of, a line each: with an instruction that no line has, or that its target or version of PTX has not, a program is
/// refused. Those of the writer are written out; what ILGPU adds of types and roundings follows.
/// </summary>
internal static class PtxOpcodes
{
    private static readonly PtxOpcode[] s_all =
    [
        // Moves and conversions.
        new("mov.(pred|[bsu](16|32|64)|f(32|64))"),
        new("selp.([bsu](16|32|64)|f(32|64))"),
        new("cvt.([su](8|16|32|64).[su](8|16|32|64)|f64.f32|f32.f16)"),
        new("cvt.rn.(f32.[su](32|64)|f64.[su](32|64)|f32.f64|f16.f32|f16.f64)"),
        new("cvt.rz?i?.[su](32|64).f(32|64)|cvt.r[nzmp]i.[su](32|64).f(32|64)"),
        new("cvt.rn.(bf16|bf16x2|f16x2).f32", 80, 70),
        new("cvt.rna.tf32.f32", 80, 70),
        new("cvt.rn.tf32.f32", 90, 78),
        new("cvta.to.global.u64|cvta.(global|shared|param).u64|cvta.to.(shared|param).u64"),

        // Integers, bits, predicates.
        new("(add|sub).[su](16|32|64)"),
        new("(mul|mad).lo.[su](16|32|64)|(mul|mad).hi.[su](32|64)"),
        new("(mul|mad).wide.[su](16|32)"),
        new("(div|rem|min|max).[su](16|32|64)"),
        new("(neg|abs).s(16|32|64)"),
        new("(and|or|xor|not).(pred|b16|b32|b64)"),
        new("(shl.b|shr.[bsu])(16|32|64)"),
        new("(shf.(l|r).(wrap|clamp).b32|prmt.b32|popc.b(32|64)|clz.b(32|64)|brev.b(32|64)|bfe.[su](32|64))"),
        new("setp.(eq|ne|lt|le|gt|ge).([su](16|32|64)|f(32|64))|setp.(lo|ls|hi|hs).u(16|32|64)|setp.(equ|neu|ltu|leu|gtu|geu|num|nan).f(32|64)|setp.(eq|ne).b(16|32|64)"),

        // Floats.
        new("(add|sub|mul)(.rn)?(.ftz)?.f(32|64)"),
        new("fma.rn(.ftz)?.f(32|64)"),
        new("(div|sqrt|rcp).rn.f(32|64)"),
        new("(min|max|neg|abs)(.ftz)?.f(32|64)"),
        new("(ex2|lg2|rcp|rsqrt|sqrt|sin|cos).approx(.ftz)?.f32|div.(approx|full)(.ftz)?.f32"),
        new("testp.(finite|infinite|number|notanumber|normal|subnormal).f(32|64)"),

        // Memory.
        new("ld.param.([bsu](8|16|32|64)|f(32|64))"),
        new("ld.(global|shared)(.v[24])?.([bsu](8|16|32|64)|f(32|64))"),
        new("st.(global|shared)(.v[24])?.([bsu](8|16|32|64)|f(32|64))", Results: 0),
        new("ld.global.nc(.v[24])?.([bsu](8|16|32|64)|f(32|64))"),
        new("atom.(global|shared).(add|min|max|exch|cas|and|or|inc).([bsu](32|64)|f32)|atom.(add|min|max|exch|cas|and|or).(global|shared).([bsu](32|64)|f32)"),
        new("atom.acq_rel.gpu.global.inc.u32", Version: 60),
        new("red.(global|shared).add.(u32|s32|u64|f32)", Results: 0),
        new("ld.acquire.gpu.global.b32", Version: 60),
        new("red.release.gpu.global.add.u32", Version: 60, Results: 0),
        new("membar.(cta|gl|sys)|fence.(acq_rel|sc).(cta|gpu|sys)", Results: 0),
        new("cp.async.(ca|cg).shared.global(.L2::(64|128|256)B)?", 80, 70, Results: 0),
        new("cp.async.(commit|wait)_(group|all)", 80, 70, Results: 0),
        new("prefetch.global.L[12]", Results: 0),

        // Threads together.
        new("bar.sync", Results: 0, Meeting: PtxMeeting.Block),
        new("bar.warp.sync", Version: 60, Results: 0, Meeting: PtxMeeting.Warp),
        new("shfl.sync.(bfly|idx|up|down).b32", Meeting: PtxMeeting.Warp),
        new("vote.sync.((any|all|uni).pred|ballot.b32)", Meeting: PtxMeeting.Warp),
        new("activemask.b32", Version: 62),

        // Tensor cores.
        new("ldmatrix.sync.aligned.m8n8.x[124](.trans)?.shared.b16", 75, 65, Meeting: PtxMeeting.Warp),
        new("mma.sync.aligned.m16n8k16.row.col.f32.(bf16.bf16|f16.f16).f32", 80, 70, Meeting: PtxMeeting.Warp),
        new("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32", 80, 70, Meeting: PtxMeeting.Warp),

        // Hopper: barriers in shared memory, copies of tiles, products by warpgroups, kernels that start before others end.
        new("griddepcontrol.(wait|launch_dependents)", 90, 78, Results: 0),
        new("elect.sync", 90, 80, Meeting: PtxMeeting.Warp),
        new("mbarrier.init.shared::cta.b64", 80, 78, Results: 0),
        new("mbarrier.arrive.shared::cta.b64", 80, 78),
        new("mbarrier.arrive.expect_tx.shared::cta.b64", 90, 80),
        new("mbarrier.try_wait.parity.shared::cta.b64", 90, 78),
        new("fence.(mbarrier_init.release.cluster|proxy.async.shared::cta)", 90, 80, Results: 0),
        new("cp.async.bulk.tensor.[24]d.(shared::cluster.global.mbarrier::complete_tx::bytes|global.shared::cta.bulk_group)", 90, 80, Results: 0),
        new("cp.async.bulk.tensor.2d.shared::cluster.global.mbarrier::complete_tx::bytes.multicast::cluster", 90, 80, Results: 0),
        new("cp.reduce.async.bulk.tensor.2d.global.shared::cta.add.tile.bulk_group", 90, 80, Results: 0),
        new("mapa.shared::cluster.u32", 90, 78),
        new("barrier.cluster.(arrive.release|wait.acquire).aligned", 90, 78, Results: 0, Meeting: PtxMeeting.Block),
        new("mbarrier.arrive.release.cluster.shared::cluster.b64", 90, 80),
        new("mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64", 90, 80),
        new("cp.async.bulk.(commit_group|wait_group(.read)?)", 90, 80, Results: 0),
        new("stmatrix.sync.aligned.m8n8.x[124](.trans)?.shared.b16", 90, 78, Results: 0, Meeting: PtxMeeting.Warp),
        new("setmaxnreg.(inc|dec).sync.aligned.u32", 90, 80, Results: 0, Meeting: PtxMeeting.Warp, OnlyTarget: true),
        new("wgmma.(fence|commit_group|wait_group).sync.aligned", 90, 80, Results: 0, Meeting: PtxMeeting.Warp, OnlyTarget: true),
        new("wgmma.mma_async.sync.aligned.m64n(64|96|128|192|256)k16.f32.(bf16.bf16|f16.f16)", 90, 80, Meeting: PtxMeeting.Warp, OnlyTarget: true),

        // Flow.
        new("bra(.uni)?|ret|exit|trap", Results: 0),
    ];

    private static readonly ConcurrentDictionary<string, PtxOpcode?> s_found = [];

    /// <summary>The line of an instruction, or null.</summary>
    public static PtxOpcode? Find(string opcode) => s_found.GetOrAdd(opcode, static text => Array.Find(s_all, line => line.Matches(text)));
}
