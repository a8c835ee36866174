import time
from softcam_core.cli import main
def test_a(marked_table, tmp_path, capsys):
    q="--arch compact --shorter-side 32 --epochs 1 --lr 3e-3 --batch-size 8 --device cpu".split()
    for i in range(2):
        t=time.time()
        rc = main(["sweep",str(marked_table),"--out",str(tmp_path/"s"),"--l1","0,1e-4,1e38",*q])
        with capsys.disabled(): print(rc, *capsys.readouterr(), (tmp_path/"s/trials.csv").read_text(), sorted(p.name for p in (tmp_path/"s").iterdir()), time.time()-t)
    with capsys.disabled(): print((tmp_path/"s/sweep.yaml").read_text()[:900]); print((tmp_path/"s/train_val.csv").read_text()[:300])
